package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is what each message consists of, as the contract has it; a field
// that may be left out ends in "?".
var contract = map[string]struct {
	value  any
	fields string
}{
	"start-request": {
		StartRequest{},
		"order_id terminal_id? amount currency description? customer? notification_url? custom_info?",
	},
	"start-reply":    {StartReply{}, "order_id terminal_id session_id? status status_subject created"},
	"cancel-request": {OrderRequest{}, "terminal_id? order_id"},
	"cancel-reply":   {CancelReply{}, "order_id terminal_id status"},
	"get-request":    {OrderRequest{}, "terminal_id? order_id"},
	"session": {Session{}, "order_id terminal_id session_id? status financial_status transaction_id final sequence " +
		"active amount amount_charged? currency replica started_at updated_at"},
	"list-request": {ListRequest{}, ""},
	"list-reply":   {ListReply{}, "sessions terminals?"},
	"status-event": {StatusEvent{}, "order_id terminal_id session_id? transaction_id status financial_status " +
		"previous_status final sequence source amount amount_charged? reason? currency observed_at"},
	"receipt-request": {OrderRequest{}, "terminal_id? order_id"},
	"receipt-reply":   {ReceiptReply{}, "order_id terminal_id receipt"},
	"invalid-event":   {InvalidEvent{}, "order_id terminal_id session_id? reason event data observed_at"},
	"error-reply":     {ErrorReply{}, "error"},
}

// parts are the objects inside messages, by the path to them in the schema.
var parts = map[string]struct {
	message string
	value   any
	fields  string
}{
	"customer":                     {"start-request", Customer{}, "locale? email? phone? first_name? last_name?"},
	"custom_info":                  {"start-request", CustomInfo{}, "custom_1? custom_2? custom_3?"},
	"error":                        {"error-reply", Error{}, "code message retryable provider?"},
	"error/provider":               {"error-reply", ProviderAnswer{}, "http_status error_code error_info"},
	"receipt":                      {"receipt-reply", Receipt{}, "merchant order payment related_transactions printed_on?"},
	"receipt/merchant":             {"receipt-reply", ReceiptMerchant{}, "name? address?"},
	"receipt/order":                {"receipt-reply", ReceiptOrder{}, "amount amount_refunded currency tip items status? financial_status? transaction_id? created? completed?"},
	"receipt/order/items":          {"receipt-reply", ReceiptItem{}, "name quantity? unit_price price"},
	"receipt/payment":              {"receipt-reply", ReceiptPayment{}, "payment_method? last4? card_entry_mode? cardholder_verification_method? application_id? authorization_code? response_code? terminal_id?"},
	"receipt/related_transactions": {"receipt-reply", ReceiptTransaction{}, "type? amount currency? status? transaction_id? created?"},
}

// typeFields lists the JSON fields of a Go type as contract does, sorted.
func typeFields(v any) []string {
	var fields []string
	t := reflect.TypeOf(v)
	for i := range t.NumField() {
		name, opts, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if opts == "omitempty" {
			name += "?"
		}
		fields = append(fields, name)
	}
	slices.Sort(fields)
	return fields
}

// object is as much of a JSON Schema as the tests look at.
type object struct {
	ID          string            `json:"$id"`
	Dialect     string            `json:"$schema"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Type        string            `json:"type"`
	Required    []string          `json:"required"`
	Properties  map[string]object `json:"properties"`
	Additional  *bool             `json:"additionalProperties"`
	Items       *object           `json:"items"`
	Defs        map[string]object `json:"$defs"`
	AnyOf       []object          `json:"anyOf"`
	Ref         string            `json:"$ref"`
	Enum        []string          `json:"enum"`
	Const       string            `json:"const"`
	Pattern     string            `json:"pattern"`
	MaxLength   int               `json:"maxLength"`
	Minimum     *int64            `json:"minimum"`
	Maximum     *int64            `json:"maximum"`
}

// fields lists the properties of a schema as contract does, sorted.
func (o object) fields() []string {
	var fields []string
	for name := range o.Properties {
		if !slices.Contains(o.Required, name) {
			name += "?"
		}
		fields = append(fields, name)
	}
	slices.Sort(fields)
	return fields
}

func readSchema(t *testing.T, name string) object {
	t.Helper()
	data, err := JSON(name)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const idBase = "https://github.com/posbridge/bridge/schema/"

// compiler knows every schema by its $id.
func compiler(t testing.TB) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range Names() {
		data, err := JSON(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.AddResource(idBase+name+".json", doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return c
}

func compile(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	s, err := compiler(t).Compile(idBase + name + ".json")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// validate is the verdict of a JSON Schema on a message.
func validate(s *jsonschema.Schema, message []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestNamesAreTheMessages(t *testing.T) {
	t.Parallel()
	var want []string
	for name := range contract {
		want = append(want, name)
	}
	slices.Sort(want)
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTypesAndSchemasHaveTheFieldsOfTheContract(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, fields string, value any, o object) {
		t.Helper()
		want := strings.Fields(fields)
		slices.Sort(want)
		if got := typeFields(value); !slices.Equal(got, want) {
			t.Errorf("Go type: got %v, want %v", got, want)
		}
		if got := o.fields(); !slices.Equal(got, want) {
			t.Errorf("JSON Schema: got %v, want %v", got, want)
		}
	}
	for name, message := range contract {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, message.fields, message.value, readSchema(t, name))
		})
	}
	for path, part := range parts {
		t.Run(part.message+"/"+path, func(t *testing.T) {
			t.Parallel()
			o := readSchema(t, part.message)
			for name := range strings.SplitSeq(path, "/") {
				o = o.Properties[name]
				if o.Items != nil {
					o = *o.Items
				}
			}
			check(t, part.fields, part.value, o)
		})
	}
}

func TestSchemasAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compile(t, name)
			o := readSchema(t, name)
			if want := idBase + name + ".json"; o.ID != want {
				t.Errorf("$id: got %s, want %s", o.ID, want)
			}
			if want := "https://json-schema.org/draft/2020-12/schema"; o.Dialect != want {
				t.Errorf("$schema: got %s, want %s", o.Dialect, want)
			}
			if o.Title == "" {
				t.Error("no title")
			}
			checkObject(t, name, o, strings.HasSuffix(name, "-request"))
		})
	}
}

// checkObject wants a description everywhere, and that requests refuse what is
// not known while everything else lets it pass.
func checkObject(t *testing.T, path string, o object, request bool) {
	t.Helper()
	if o.Description == "" && o.Ref == "" {
		t.Errorf("%s: no description", path)
	}
	if o.Type == "object" {
		if closed := o.Additional != nil && !*o.Additional; closed != request {
			t.Errorf("%s: refuses unknown fields: got %v, want %v", path, closed, request)
		}
	}
	for name, property := range o.Properties {
		checkObject(t, path+"."+name, property, request)
	}
	if o.Items != nil {
		checkObject(t, path+"[]", *o.Items, request)
	}
}

func TestSchemasHaveTheLimitsOfTheCode(t *testing.T) {
	t.Parallel()
	start := readSchema(t, "start-request").Properties
	if got := start["currency"].Enum; !slices.Equal(got, Currencies()) {
		t.Errorf("currencies: the schema's differ from Currencies: %v", got)
	}
	if got := start["amount"]; *got.Minimum != MinAmount || *got.Maximum != MaxAmount {
		t.Errorf("amount: got %d to %d", *got.Minimum, *got.Maximum)
	}
	for _, limit := range []struct {
		name      string
		got, want int
	}{
		{"description", start["description"].MaxLength, MaxDescription},
		{"email", start["customer"].Properties["email"].MaxLength, MaxEmail},
		{"phone", start["customer"].Properties["phone"].MaxLength, MaxPhone},
		{"first_name", start["customer"].Properties["first_name"].MaxLength, MaxName},
		{"last_name", start["customer"].Properties["last_name"].MaxLength, MaxName},
		{"notification_url", start["notification_url"].MaxLength, MaxNotificationURL},
		{"custom_1", start["custom_info"].Properties["custom_1"].MaxLength, MaxCustomInfo},
		{"custom_2", start["custom_info"].Properties["custom_2"].MaxLength, MaxCustomInfo},
		{"custom_3", start["custom_info"].Properties["custom_3"].MaxLength, MaxCustomInfo},
	} {
		if limit.got != limit.want {
			t.Errorf("%s: got %d, want %d", limit.name, limit.got, limit.want)
		}
	}
	if got, want := start["customer"].Properties["locale"].Pattern, localeForm.String(); got != want {
		t.Errorf("locale: got %s, want %s", got, want)
	}
	if got, want := start["notification_url"].Pattern, notificationURLForm.String(); got != want {
		t.Errorf("notification_url: got %s, want %s", got, want)
	}
	if got, want := readSchema(t, "status-event").Defs["status"].AnyOf[0].Enum, KnownStatuses(); !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	for _, name := range []string{"start-reply", "cancel-reply", "session", "status-event"} {
		if got := readSchema(t, name).Properties["status"].Ref; got != "status-event.json#/$defs/status" && got != "#/$defs/status" {
			t.Errorf("status of %s: got %q, want the known statuses by reference", name, got)
		}
	}
	var codes []string
	for _, code := range Codes() {
		codes = append(codes, string(code))
	}
	if got := readSchema(t, "error-reply").Properties["error"].Properties["code"].Enum; !slices.Equal(got, codes) {
		t.Errorf("codes: got %v, want %v", got, codes)
	}
	if got, want := readSchema(t, "status-event").Properties["source"].Enum, []string{SourceStream, SourceReconcile, SourceBridge}; !slices.Equal(got, want) {
		t.Errorf("sources: got %v, want %v", got, want)
	}
}

// goldens returns the kept messages by file name: NAME.CASE.json.
func goldens(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	return files
}

func TestEveryMessageHasAGolden(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, file := range goldens(t) {
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		have[name] = true
	}
	for _, name := range Names() {
		if !have[name] {
			t.Errorf("%s: no golden", name)
		}
	}
}

// A golden is read without loss by the Go type, is valid by its schema, and is
// written as it was.
func TestGoldens(t *testing.T) {
	t.Parallel()
	for _, file := range goldens(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			golden := readFile(t, file)
			name, _, _ := strings.Cut(filepath.Base(file), ".")
			if err := validate(compile(t, name), golden); err != nil {
				t.Errorf("JSON Schema: %v", err)
			}
			message := reflect.New(reflect.TypeOf(contract[name].value))
			dec := json.NewDecoder(bytes.NewReader(golden))
			dec.DisallowUnknownFields()
			if err := dec.Decode(message.Interface()); err != nil {
				t.Fatalf("Go type: %v", err)
			}
			written, err := json.Marshal(message.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := errors.Join(json.Unmarshal(written, &got), json.Unmarshal(golden, &want)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("written again: got %s, want %s", written, golden)
			}
		})
	}
}

// What the bridge writes is valid also when a value is as small as it can be.
func TestZeroValuesAreWhole(t *testing.T) {
	t.Parallel()
	for name, message := range contract {
		written, err := json.Marshal(message.value)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(written, &fields); err != nil {
			t.Fatal(err)
		}
		for field := range strings.FieldsSeq(message.fields) {
			if _, ok := fields[field]; !ok && !strings.HasSuffix(field, "?") {
				t.Errorf("%s: %s is not there when empty", name, field)
			}
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
