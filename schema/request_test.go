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
			r.OrderID, r.TerminalID = strings.Repeat("/", 50), strings.Repeat("-", 36)
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
		{"URL without a path", func(r *StartRequest) { r.NotificationURL = "https://shop.example.com" }},
		{"URL with every character", func(r *StartRequest) { r.NotificationURL = "https://Shop-1.example_x.com/hook/a:b.c-d_e/0/" }},
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
	tests := []struct {
		name   string
		change func(*StartRequest)
		want   string // the whole message
	}{
		{"no order", func(r *StartRequest) { r.OrderID = "" }, "order_id is missing; it must be " + orderWanted},
		{"order too long", func(r *StartRequest) { r.OrderID = strings.Repeat("a", 51) }, "order_id must be " + orderWanted + "; got a string of 51 characters"},
		{"order with a wildcard", func(r *StartRequest) { r.OrderID = "*" }, "order_id must be " + orderWanted + "; got a string whose character 1 is '*'"},
		{"order with a space", func(r *StartRequest) { r.OrderID = "a b" }, "order_id must be " + orderWanted + "; got a string whose character 2 is a space"},
		{"order with a line end", func(r *StartRequest) { r.OrderID = "ab\n" }, "order_id must be " + orderWanted + "; got a string whose character 3 is a control character"},
		{"order in another script", func(r *StartRequest) { r.OrderID = "aж" }, "order_id must be " + orderWanted + "; got a string whose character 2 is not ASCII"},
		{"order not UTF-8", func(r *StartRequest) { r.OrderID = "\xff" }, "order_id must be " + orderWanted + "; got a string whose character 1 is not UTF-8"},
		{"no terminal", func(r *StartRequest) { r.TerminalID = "" }, "terminal_id is missing; it must be " + terminalWanted},
		{"terminal too long", func(r *StartRequest) { r.TerminalID = strings.Repeat("a", 37) }, "terminal_id must be " + terminalWanted + "; got a string of 37 characters"},
		{"terminal with a dot", func(r *StartRequest) { r.TerminalID = "a.b" }, "terminal_id must be " + terminalWanted + "; got a string whose character 2 is '.'"},
		{"no amount", func(r *StartRequest) { r.Amount = 0 }, "amount must be " + amountWanted + "; got 0, or it is missing"},
		{"negative amount", func(r *StartRequest) { r.Amount = -1 }, "amount must be " + amountWanted + "; got a negative number"},
		{"amount too large", func(r *StartRequest) { r.Amount = 1000000000 }, "amount must be " + amountWanted + "; got a number above 999999999"},
		{"no currency", func(r *StartRequest) { r.Currency = "" }, "currency is missing; it must be " + currencyWanted},
		{"lower-case letters", func(r *StartRequest) { r.Currency = "eur" }, "currency must be capitals: EUR"},
		{"unknown lower-case letters", func(r *StartRequest) { r.Currency = "abc" }, "currency must be " + currencyWanted + "; got a string whose character 1 is a lower-case letter"},
		{"withdrawn currency", func(r *StartRequest) { r.Currency = "DEM" }, "currency must be " + currencyWanted + "; got a string of 3 characters"},
		{"description too long", func(r *StartRequest) { r.Description = strings.Repeat("é", 201) }, "description must be at most 200 characters; got 201"},
		{"description not UTF-8", func(r *StartRequest) { r.Description = "\xc3" }, "description must be at most 200 characters; got a string that is not UTF-8"},
		{"locale", func(r *StartRequest) { r.Customer = &Customer{Locale: "nl-NL"} }, "customer.locale must be " + localeWanted + "; got a string whose character 3 is '-'"},
		{"locale in the wrong case", func(r *StartRequest) { r.Customer = &Customer{Locale: "NL_nl"} }, "customer.locale must be " + localeWanted + "; got a string of 5 characters"},
		{"email", func(r *StartRequest) { r.Customer = &Customer{Email: strings.Repeat("e", 65)} }, "customer.email must be at most 64 characters; got 65"},
		{"phone", func(r *StartRequest) { r.Customer = &Customer{Phone: strings.Repeat("1", 26)} }, "customer.phone must be at most 25 characters; got 26"},
		{"first name", func(r *StartRequest) { r.Customer = &Customer{FirstName: strings.Repeat("f", 101)} }, "customer.first_name must be at most 100 characters; got 101"},
		{"last name", func(r *StartRequest) { r.Customer = &Customer{LastName: strings.Repeat("l", 101)} }, "customer.last_name must be at most 100 characters; got 101"},
		{"URL too long", func(r *StartRequest) { r.NotificationURL = "https://" + strings.Repeat("a", 143) }, "notification_url must be at most 150 characters; got 151"},
		{"custom info", func(r *StartRequest) { r.CustomInfo = &CustomInfo{Custom3: strings.Repeat("x", 501)} }, "custom_info.custom_3 must be at most 500 characters; got 501"},
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

// A webhook address that the provider would never call is refused with the reason.
func TestNotificationURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, url, got string }{
		{"plain http", "http://a", "http://"},
		{"http in capitals", "HTTP://a", "http://"},
		{"another scheme", "ftp://a", "a string that does not begin with https://"},
		{"no scheme", "shop.example.com", "a string that does not begin with https://"},
		{"a port", "https://a:8443/hook", "a port"},
		{"an IPv6 address", "https://[::1]/hook", "a port"},
		{"a user name", "https://user:secret@a/hook", "a user name"},
		{"a query", "https://a/hook?till=3", "a query"},
		{"a query right after the host", "https://a?till=3", "a query"},
		{"no host", "https:///hook", "no host name"},
		{"nothing behind the scheme", "https://", "no host name"},
		{"a space", "https://a /", "a string whose character 10 is a space"},
		{"a percent sign", "https://a/%41", "a string whose character 11 is '%'"},
		{"a fragment", "https://a/b#c", "a string whose character 12 is '#'"},
		{"another script", "https://a/é", "a string whose character 11 is not ASCII"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := "must be " + notificationURLWanted + "; got " + tt.got
			if err := CheckNotificationURL(tt.url); err == nil || err.Error() != want {
				t.Errorf("CheckNotificationURL:\ngot  %v\nwant %s", err, want)
			}
			e, ok := errors.AsType[*Error](request(func(r *StartRequest) { r.NotificationURL = tt.url }).Check())
			if !ok || e.Message != "notification_url "+want {
				t.Errorf("Check:\ngot  %v\nwant notification_url %s", e, want)
			}
		})
	}
	if err := CheckNotificationURL("https://" + strings.Repeat("a", 143)); err == nil || err.Error() != "must be at most 150 characters; got 151" {
		t.Errorf("too long: got %v", err)
	}
	for _, url := range []string{"", "https://shop.example.com/hook"} {
		if err := CheckNotificationURL(url); err != nil {
			t.Errorf("%q: got %v", url, err)
		}
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
	const object = "request must be one JSON object in UTF-8; got "
	tests := []struct{ name, in, want string }{
		{"nothing", "", "request is missing; it must be one JSON object in UTF-8"},
		{"white space", " \n", "request is missing; it must be one JSON object in UTF-8"},
		{"no JSON", "hello", object + "malformed JSON at byte 1"},
		{"cut short", `{"order_id":"A"`, object + "malformed JSON at byte 15"},
		{"two objects", `{}{}`, object + "malformed JSON at byte 3"},
		{"trailing comma", `{"order_id":"A",}`, object + "malformed JSON at byte 17"},
		{"not UTF-8", "{\"order_id\":\"\xff\"}", object + "bytes that are not UTF-8"},
		{"an array", `[]`, "request must be a JSON object; got an array"},
		{"a number", `1`, "request must be a JSON object; got a number"},
		{"null", `null`, "request must be a JSON object; got null"},
		{"too long", `"` + strings.Repeat("a", MaxRequest) + `"`, "request must be at most 65536 bytes; got 65538"},
		{"unknown field", `{"tip":1}`, "tip is not a field of this request"},
		{"unknown field inside", `{"customer":{"iban":"1"}}`, "customer.iban is not a field of this request"},
		{"a strange name", `{"a b":1}`, "a name of 3 characters is not a field of this request"},
		{"an empty name", `{"":1}`, "a name of 0 characters is not a field of this request"},
		{"a card number for a name", `{"5413330089009917":1}`, "a name of 16 characters is not a field of this request"},
		{"a card number for a name inside", `{"customer":{"5413330089009917":1}}`, "a name of 25 characters is not a field of this request"},
		{"a long name", `{"` + strings.Repeat("a", 41) + `":1}`, "a name of 41 characters is not a field of this request"},
		{"wrong case", `{"Order_ID":"A"}`, "Order_ID is not a field of this request"},
		{"twice", `{"order_id":"A","order_id":"B"}`, "order_id appears twice"},
		{"twice by escape", `{"order_id":"A","order\u005fid":"B"}`, "order_id appears twice"},
		{"order a number", `{"order_id":7}`, "order_id must be a string; got a number"},
		{"order null", `{"order_id":null}`, "order_id must be a string; got null"},
		{"order an object", `{"order_id":{}}`, "order_id must be a string; got an object"},
		{"order true", `{"order_id":true}`, "order_id must be a string; got a boolean"},
		{"terminal empty", `{"terminal_id":""}`, "terminal_id is missing; it must be " + terminalWanted},
		{"amount a string", `{"amount":"250"}`, "amount must be " + amountWanted + "; got a string"},
		{"amount with a fraction", `{"amount":2.5}`, "amount must be " + amountWanted + "; got a number with a fraction or an exponent"},
		{"amount with an exponent", `{"amount":1e3}`, "amount must be " + amountWanted + "; got a number with a fraction or an exponent"},
		{"amount far too large", `{"amount":99999999999999999999}`, "amount must be " + amountWanted + "; got a number that is far too large"},
		{"customer a string", `{"customer":"Anna"}`, "customer must be a JSON object; got a string"},
		{"customer null", `{"customer":null}`, "customer must be a JSON object; got null"},
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
		Description: "Café, 2 × crème brûlée", NotificationURL: "https://shop.example.com/hook/till:3",
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
	if got, err := DecodeReceipt([]byte(`{"order_id":"A","terminal_id":"T"}`)); err != nil || got != order {
		t.Errorf("receipt: got %+v, %v, want %+v", got, err, order)
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
