package schema

import (
	"errors"
	"strings"
	"testing"
)

// request is a start request that is accepted, changed by a test.
func request(change func(*StartRequest)) StartRequest {
	r := StartRequest{OrderID: "INV-2026-7", TerminalID: "00000ABC", Amount: 250, Currency: "EUR"}
	change(&r)
	return r
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*StartRequest)
	}{
		{"the least", func(*StartRequest) {}},
		{"longest ids", func(r *StartRequest) {
			r.OrderID, r.TerminalID = strings.Repeat("/", 50), strings.Repeat("-", 32)
		}},
		{"smallest amount", func(r *StartRequest) { r.Amount = 1 }},
		{"largest amount", func(r *StartRequest) { r.Amount = 999999999 }},
		{"yen", func(r *StartRequest) { r.Currency = "JPY" }},
		{"characters, not bytes", func(r *StartRequest) { r.Description = strings.Repeat("€", 200) }},
		{"nothing about the customer", func(r *StartRequest) { r.Customer = &Customer{} }},
		{"customer at every limit", func(r *StartRequest) {
			r.Customer = &Customer{
				Locale: "nl_NL", Email: strings.Repeat("e", 64), Phone: strings.Repeat("1", 25),
				FirstName: strings.Repeat("é", 100), LastName: strings.Repeat("é", 100),
			}
		}},
		{"longest URL", func(r *StartRequest) { r.NotificationURL = "https://" + strings.Repeat("a", 142) }},
		{"URL with port and IPv6", func(r *StartRequest) { r.NotificationURL = "http://[::1]:8080/hook?a=b" }},
		{"custom info at its limit", func(r *StartRequest) {
			long := strings.Repeat("x", 500)
			r.CustomInfo = &CustomInfo{Custom1: long, Custom2: long, Custom3: long}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := request(tt.change).Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const ids = "1 to 50 characters of A-Z a-z 0-9 . _ / -"
	tests := []struct {
		name   string
		change func(*StartRequest)
		want   string // the whole message
	}{
		{"no order", func(r *StartRequest) { r.OrderID = "" }, "order_id: got nothing; want " + ids},
		{"order too long", func(r *StartRequest) { r.OrderID = strings.Repeat("a", 51) }, "order_id: got 51 characters; want " + ids},
		{"order with a wildcard", func(r *StartRequest) { r.OrderID = "*" }, `order_id: got 1 character, of which number 1 is '*'; want ` + ids},
		{"order with a blank", func(r *StartRequest) { r.OrderID = "a b" }, "order_id: got 3 characters, of which number 2 is a blank; want " + ids},
		{"order with a line end", func(r *StartRequest) { r.OrderID = "ab\n" }, "order_id: got 3 characters, of which number 3 is a control character; want " + ids},
		{"order in another script", func(r *StartRequest) { r.OrderID = "aж" }, "order_id: got 2 characters, of which number 2 is not ASCII; want " + ids},
		{"order not UTF-8", func(r *StartRequest) { r.OrderID = "\xff" }, "order_id: got 1 character, of which number 1 is no character at all; want " + ids},
		{"no terminal", func(r *StartRequest) { r.TerminalID = "" }, "terminal_id: got nothing; want 1 to 32 characters of A-Z a-z 0-9 _ -"},
		{"terminal with a dot", func(r *StartRequest) { r.TerminalID = "a.b" }, "terminal_id: got 3 characters, of which number 2 is '.'; want 1 to 32 characters of A-Z a-z 0-9 _ -"},
		{"no amount", func(r *StartRequest) { r.Amount = 0 }, "amount: got 0, or none; want an integer from 1 to 999999999, in the currency's smallest unit"},
		{"negative amount", func(r *StartRequest) { r.Amount = -1 }, "amount: got a negative number; want an integer from 1 to 999999999, in the currency's smallest unit"},
		{"amount too large", func(r *StartRequest) { r.Amount = 1000000000 }, "amount: got a number above 999999999; want an integer from 1 to 999999999, in the currency's smallest unit"},
		{"no currency", func(r *StartRequest) { r.Currency = "" }, "currency: got nothing; want an active ISO 4217 code in capitals, like EUR"},
		{"small letters", func(r *StartRequest) { r.Currency = "eur" }, "currency: got 3 characters, of which number 1 is a small letter; want an active ISO 4217 code in capitals, like EUR"},
		{"withdrawn currency", func(r *StartRequest) { r.Currency = "DEM" }, "currency: got 3 characters; want an active ISO 4217 code in capitals, like EUR"},
		{"description too long", func(r *StartRequest) { r.Description = strings.Repeat("é", 201) }, "description: got 201 characters; want at most 200"},
		{"description not UTF-8", func(r *StartRequest) { r.Description = "\xc3" }, "description: got a text that is not UTF-8; want at most 200 characters"},
		{"locale", func(r *StartRequest) { r.Customer = &Customer{Locale: "nl-NL"} }, "customer.locale: got 5 characters, of which number 3 is '-'; want language and country, like nl_NL"},
		{"locale in the wrong case", func(r *StartRequest) { r.Customer = &Customer{Locale: "NL_nl"} }, "customer.locale: got 5 characters; want language and country, like nl_NL"},
		{"email", func(r *StartRequest) { r.Customer = &Customer{Email: strings.Repeat("e", 65)} }, "customer.email: got 65 characters; want at most 64"},
		{"phone", func(r *StartRequest) { r.Customer = &Customer{Phone: strings.Repeat("1", 26)} }, "customer.phone: got 26 characters; want at most 25"},
		{"first name", func(r *StartRequest) { r.Customer = &Customer{FirstName: strings.Repeat("f", 101)} }, "customer.first_name: got 101 characters; want at most 100"},
		{"last name", func(r *StartRequest) { r.Customer = &Customer{LastName: strings.Repeat("l", 101)} }, "customer.last_name: got 101 characters; want at most 100"},
		{"URL too long", func(r *StartRequest) { r.NotificationURL = "https://" + strings.Repeat("a", 143) }, "notification_url: got 151 characters; want at most 150"},
		{"URL of another scheme", func(r *StartRequest) { r.NotificationURL = "ftp://a" }, "notification_url: got 7 characters; want an http:// or https:// URL in ASCII"},
		{"URL without a host", func(r *StartRequest) { r.NotificationURL = "https:///a" }, "notification_url: got 10 characters; want an http:// or https:// URL in ASCII"},
		{"URL with a blank", func(r *StartRequest) { r.NotificationURL = "https://a /" }, "notification_url: got 11 characters, of which number 10 is a blank; want an http:// or https:// URL in ASCII"},
		{"custom info", func(r *StartRequest) { r.CustomInfo = &CustomInfo{Custom3: strings.Repeat("x", 501)} }, "custom_info.custom_3: got 501 characters; want at most 500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, ok := errors.AsType[*Error](request(tt.change).Check())
			if !ok {
				t.Fatal("got no *Error")
			}
			if e.Code != InvalidRequest || e.Retryable {
				t.Errorf("got %s, retryable %v", e.Code, e.Retryable)
			}
			if e.Message != tt.want {
				t.Errorf("got  %s\nwant %s", e.Message, tt.want)
			}
		})
	}
}

// A card number that was typed into a field stays there.
func TestCheckNeverShowsTheValue(t *testing.T) {
	t.Parallel()
	const card = "4111 1111 1111 1111"
	long := strings.Repeat(card, 50)
	for _, change := range []func(*StartRequest){
		func(r *StartRequest) { r.OrderID = card },
		func(r *StartRequest) { r.TerminalID = card },
		func(r *StartRequest) { r.Amount = 4111111111111111 },
		func(r *StartRequest) { r.Currency = card },
		func(r *StartRequest) { r.Description = long },
		func(r *StartRequest) { r.Customer = &Customer{Locale: card} },
		func(r *StartRequest) { r.Customer = &Customer{Email: long} },
		func(r *StartRequest) { r.Customer = &Customer{Phone: long} },
		func(r *StartRequest) { r.Customer = &Customer{FirstName: long} },
		func(r *StartRequest) { r.Customer = &Customer{LastName: long} },
		func(r *StartRequest) { r.NotificationURL = card },
		func(r *StartRequest) { r.CustomInfo = &CustomInfo{Custom1: long} },
	} {
		err := request(change).Check()
		if err == nil {
			t.Fatal("accepted")
		}
		if strings.Contains(err.Error(), "1111") {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const object = "one JSON object in UTF-8"
	tests := []struct{ name, in, want string }{
		{"nothing", "", "request: got nothing; want " + object},
		{"blanks", " \n", "request: got nothing; want " + object},
		{"no JSON", "hello", "request: got malformed JSON at byte 1; want " + object},
		{"cut short", `{"order_id":"A"`, "request: got malformed JSON at byte 15; want " + object},
		{"two objects", `{}{}`, "request: got malformed JSON at byte 3; want " + object},
		{"trailing comma", `{"order_id":"A",}`, "request: got malformed JSON at byte 17; want " + object},
		{"not UTF-8", "{\"order_id\":\"\xff\"}", "request: got bytes that are not UTF-8; want " + object},
		{"a list", `[]`, "request: got a list; want a JSON object"},
		{"a number", `1`, "request: got a number; want a JSON object"},
		{"null", `null`, "request: got null; want a JSON object"},
		{"too long", `"` + strings.Repeat("a", MaxRequest) + `"`, "request: got 65538 bytes; want at most 65536"},
		{"unknown field", `{"tip":1}`, "tip is not a field of this request"},
		{"unknown field inside", `{"customer":{"iban":"1"}}`, "customer.iban is not a field of this request"},
		{"a strange name", `{"a b":1}`, "a name of 3 characters is not a field of this request"},
		{"an empty name", `{"":1}`, "a name of 0 characters is not a field of this request"},
		{"a card number for a name", `{"5413330089009917":1}`, "a name of 16 characters is not a field of this request"},
		{"a card number for a name inside", `{"customer":{"5413330089009917":1}}`, "a name of 25 characters is not a field of this request"},
		{"a long name", `{"` + strings.Repeat("a", 41) + `":1}`, "a name of 41 characters is not a field of this request"},
		{"wrong case", `{"Order_ID":"A"}`, "Order_ID is not a field of this request"},
		{"twice", `{"order_id":"A","order_id":"B"}`, "order_id: stands there twice"},
		{"twice by escape", `{"order_id":"A","order\u005fid":"B"}`, "order_id: stands there twice"},
		{"order a number", `{"order_id":7}`, "order_id: got a number; want a text"},
		{"order null", `{"order_id":null}`, "order_id: got null; want a text"},
		{"order an object", `{"order_id":{}}`, "order_id: got an object; want a text"},
		{"order true", `{"order_id":true}`, "order_id: got true or false; want a text"},
		{"terminal empty", `{"terminal_id":""}`, "terminal_id: got nothing; want 1 to 32 characters of A-Z a-z 0-9 _ -"},
		{"amount a text", `{"amount":"250"}`, "amount: got a text; want " + amountWanted},
		{"amount with a fraction", `{"amount":2.5}`, "amount: got a number with a fraction or an exponent; want " + amountWanted},
		{"amount with an exponent", `{"amount":1e3}`, "amount: got a number with a fraction or an exponent; want " + amountWanted},
		{"amount far too large", `{"amount":99999999999999999999}`, "amount: got a number that is far out of range; want " + amountWanted},
		{"customer a text", `{"customer":"Anna"}`, "customer: got a text; want a JSON object"},
		{"customer null", `{"customer":null}`, "customer: got null; want a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := DecodeStart([]byte(tt.in))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != InvalidRequest {
				t.Fatalf("got %v, want an %s", err, InvalidRequest)
			}
			if e.Message != tt.want {
				t.Errorf("got  %s\nwant %s", e.Message, tt.want)
			}
			if r != (StartRequest{}) {
				t.Errorf("something is left: %+v", r)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := DecodeStart(readFile(t, "testdata/golden/start-request.full.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Customer == nil || got.CustomInfo == nil {
		t.Fatalf("got %+v", got)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
	customer, custom := *got.Customer, *got.CustomInfo
	got.Customer, got.CustomInfo = nil, nil
	want := StartRequest{
		OrderID: "shop/2026.11-0007", TerminalID: "SIM_0001-a", Amount: 999999999, Currency: "KWD",
		Description: "Café, 2 × crème brûlée", NotificationURL: "https://shop.example.com/hook?till=3",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	wantCustomer := Customer{Locale: "nl_NL", Email: "anna@example.com", Phone: "+31 20 000 0000", FirstName: "Anna", LastName: "de Vries"}
	if customer != wantCustomer {
		t.Errorf("got %+v, want %+v", customer, wantCustomer)
	}
	if want := (CustomInfo{Custom1: "table 12", Custom2: "split", Custom3: "3/4"}); custom != want {
		t.Errorf("got %+v, want %+v", custom, want)
	}
	order, err := DecodeOrder([]byte(`{"order_id":"A","terminal_id":"T"}`))
	if want := (OrderRequest{TerminalID: "T", OrderID: "A"}); err != nil || order != want || order.Check() != nil {
		t.Errorf("got %+v, %v, want %+v", order, err, want)
	}
	if _, err := DecodeOrder([]byte(`{"order_id":"A","amount":1}`)); err == nil {
		t.Error("an order request with an amount: got no error")
	}
	if _, err := DecodeList([]byte(` {} `)); err != nil {
		t.Error(err)
	}
	if _, err := DecodeList([]byte(`{"terminal_id":"T"}`)); err == nil {
		t.Error("a list request with a field: got no error")
	}
}
