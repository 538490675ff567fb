package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// named compiles a request's JSON Schema with the terminal required: what the
// subjects without a terminal take, and what Check judges.
func named(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	c := compiler(t)
	const id = "https://github.com/posbridge/bridge/schema/test.json"
	err := c.AddResource(id, map[string]any{
		"allOf":    []any{map[string]any{"$ref": name + ".json"}},
		"required": []any{"terminal_id"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkStart(data []byte) error {
	r, err := DecodeStart(data)
	if err != nil {
		return err
	}
	return r.Check()
}

func checkOrder(data []byte) error {
	r, err := DecodeOrder(data)
	if err != nil {
		return err
	}
	return r.Check()
}

// seldom is true about once in forty draws; rapid favours small numbers, so it
// is one in the middle.
func seldom(t *rapid.T) bool { return rapid.IntRange(0, 39).Draw(t, "seldom") == 17 }

// textFor draws texts around a limit, in characters of one to four bytes.
func textFor(limit int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		n := rapid.SampledFrom([]int{0, 1, limit / 2, limit - 1, limit}).Draw(t, "length")
		if seldom(t) {
			n = rapid.IntRange(limit+1, limit+10).Draw(t, "too long")
		}
		return strings.Repeat(rapid.SampledFrom([]string{"a", "é", "€", "😀", " ", "\n", "\x00", `"`}).Draw(t, "character"), n)
	})
}

// formed draws texts of an alphabet, now and then with a character too many.
func formed(alphabet string, limit int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		text := rapid.StringOfN(rapid.RuneFrom([]rune(alphabet)), 1, limit, -1).Draw(t, "text")
		switch rapid.IntRange(0, 39).Draw(t, "spoilt") {
		case 17:
			junk := rapid.SampledFrom([]string{"*", ">", " ", ".", "/", "%", "\n", "\x7f", "é", "ж", "\u2028", ""}).Draw(t, "junk")
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			text = text[:at] + junk + text[at:]
		case 18:
			text = strings.Repeat(text, 1+limit/len(text))
		}
		return text
	})
}

// wrong draws values of any type but a text's and an integer's.
var wrong = rapid.SampledFrom([]any{
	nil, true, 1.5, -0.25, "", []any{}, []any{"A"}, map[string]any{}, map[string]any{"order_id": "A"}, 7, json.Number("99999999999999999999"),
})

// field draws a value for a field of a request: mostly of the right kind.
func field(right *rapid.Generator[any]) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		if seldom(t) {
			return wrong.Draw(t, "wrong")
		}
		return right.Draw(t, "right")
	})
}

// objectOf draws an object with some of the fields, and now and then one that
// nobody knows. Those of always are mostly there.
func objectOf(fields map[string]*rapid.Generator[any], always ...string) *rapid.Generator[any] {
	names := slices.Sorted(maps.Keys(fields)) // a seed draws the same again
	return rapid.Custom(func(t *rapid.T) any {
		object := map[string]any{}
		for _, name := range names {
			object[name] = field(fields[name]).Draw(t, name)
		}
		for _, name := range names {
			if slices.Contains(always, name) && !seldom(t) {
				continue
			}
			if rapid.Bool().Draw(t, "without "+name) {
				delete(object, name)
			}
		}
		if seldom(t) {
			object[rapid.SampledFrom([]string{"tip", "Amount", "", "order_id ", "customers", "\x00"}).Draw(t, "name")] = 1
		}
		return object
	})
}

var (
	tokenAlphabet = "ABCXYZabcxyz0189_-"
	ids           = map[string]*rapid.Generator[any]{
		"order_id":    formed(tokenAlphabet+"./", 50),
		"terminal_id": formed(tokenAlphabet, 36),
	}
	amounts = rapid.Custom(func(t *rapid.T) any {
		if !seldom(t) {
			return rapid.Int64Range(MinAmount, MaxAmount).Draw(t, "amount")
		}
		return rapid.OneOf(
			rapid.SampledFrom([]int64{-1, 0, 1, 2, 999999998, 999999999, 1000000000, 1 << 53, 1<<63 - 1, -1 << 63}),
			rapid.Int64Range(1, 999999999),
		).Draw(t, "amount")
	})
	currencies = rapid.Custom(func(t *rapid.T) any {
		if !seldom(t) {
			return rapid.SampledFrom(Currencies()).Draw(t, "currency")
		}
		return rapid.StringMatching(`[A-Za-z]{2,4}`).Draw(t, "letters")
	})
	locales = rapid.Custom(func(t *rapid.T) any {
		if !seldom(t) {
			return rapid.StringMatching(`([a-z]{2}_[A-Z]{2})?`).Draw(t, "locale")
		}
		return rapid.OneOf(
			rapid.SampledFrom([]string{"nl_NL", "en_GB", "", "nl-NL", "nl_NL\n", "xnl_NL", "nl_NLx", "nl", "NL_nl"}),
			rapid.StringMatching(`[a-zA-Z]{2}_[A-Za-z]{2}`),
		).Draw(t, "locale")
	})
	urls = rapid.Custom(func(t *rapid.T) any {
		if !seldom(t) {
			return rapid.StringMatching(`https://[a-z0-9][a-zA-Z0-9._-]{0,20}(/[a-zA-Z0-9._:/-]{0,100})?`).Draw(t, "URL")
		}
		scheme := rapid.SampledFrom([]string{"https://", "http://", "https://", "HTTPS://", "ftp://", "//", ""}).Draw(t, "scheme")
		host := rapid.SampledFrom([]string{"a", "shop.example.com:8443", "[::1]", "", "/", "user:pw@host", "é.com", "-", "a_b"}).Draw(t, "host")
		rest := rapid.SampledFrom([]string{"", "/hook?a=b#c", "/ ", "/\n", "/é", "/%20", "/'\"<>", "/a:b", "//", "#a", "?a"}).Draw(t, "rest")
		long := strings.Repeat("x", rapid.SampledFrom([]int{0, 0, 130, 142, 143}).Draw(t, "long"))
		return scheme + host + rest + long
	})
	starts = objectOf(map[string]*rapid.Generator[any]{
		"order_id": ids["order_id"], "terminal_id": ids["terminal_id"],
		"amount": amounts, "currency": currencies, "description": textFor(MaxDescription), "notification_url": urls,
		"customer": objectOf(map[string]*rapid.Generator[any]{
			"locale": locales, "email": textFor(MaxEmail), "phone": textFor(MaxPhone),
			"first_name": textFor(MaxName), "last_name": textFor(MaxName),
		}),
		"custom_info": objectOf(map[string]*rapid.Generator[any]{
			"custom_1": textFor(MaxCustomInfo), "custom_2": textFor(MaxCustomInfo), "custom_3": textFor(MaxCustomInfo),
		}),
	}, "order_id", "terminal_id", "amount", "currency")
	orders = objectOf(ids, "order_id", "terminal_id")
)

// The Go code and the JSON Schema accept and refuse the same requests. (There
// are two things that JSON Schema cannot say, and the code refuses: an integer
// written 1.0 or 1e2, and a field that stands there twice.)
func TestCodeAndSchemaAgree(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		requests *rapid.Generator[any]
		code     func([]byte) error
	}{
		{"start-request", starts, checkStart},
		{"cancel-request", orders, checkOrder},
		{"get-request", orders, checkOrder},
		{"receipt-request", orders, func(data []byte) error {
			r, err := DecodeReceipt(data)
			return cmp.Or(err, r.Check())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := named(t, tt.name)
			var accepted, refused int
			// One draw of rapid's is cheap, and most have something wrong: many are needed.
			for range 15 {
				rapid.Check(t, func(t *rapid.T) {
					data, err := json.Marshal(tt.requests.Draw(t, "request"))
					if err != nil {
						t.Fatal(err)
					}
					byCode, bySchema := tt.code(data), validate(s, data)
					if (byCode == nil) != (bySchema == nil) {
						t.Fatalf("%s\ncode:   %v\nschema: %v", data, byCode, bySchema)
					}
					if byCode == nil {
						accepted++
					} else {
						refused++
					}
				})
			}
			t.Logf("%d accepted, %d refused", accepted, refused)
			if few := (accepted + refused) / 20; accepted < few || refused < few {
				t.Errorf("the requests tell little: %d accepted, %d refused", accepted, refused)
			}
		})
	}
}

func FuzzDecodeStart(f *testing.F) {
	f.Add([]byte(`{"order_id":"INV-2026-7","terminal_id":"00000ABC","amount":1,"currency":"EUR"}`))
	f.Add([]byte(`{"order_id":"a/b.c","terminal_id":"T","amount":250,"currency":"JPY","customer":{"locale":"nl_NL"},"custom_info":{"custom_1":"x"}}`))
	f.Add([]byte(`{"order_id":"A","order_id":"B"}`))
	f.Add([]byte(`{"amount":1e3}`))
	f.Add([]byte(`{"customer":{"email":null}}`))
	f.Add([]byte("{\"order_id\":\"\xff\"}"))
	f.Add([]byte(`[[[[[[[[`))
	s := named(f, "start-request")
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeStart(data)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		if err := r.Check(); err != nil {
			return
		}
		// What the code accepts, the schema accepts, and it survives being written.
		if err := validate(s, data); err != nil {
			t.Errorf("schema refuses what the code accepts: %v", err)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkStart(again); err != nil {
			t.Errorf("written again: %s: %v", again, err)
		}
	})
}
