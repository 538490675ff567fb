package client_test

import (
	"testing"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// An error says whether the bridge has refused, and what the provider said.
func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reply schema.Error
		want  string
	}{
		{schema.Error{Code: schema.NotFound, Message: "order a is not known"}, `refused by the bridge: not_found: "order a is not known"`},
		{schema.Error{Code: schema.OutcomeUnknown, Message: "it is not known yet"}, `not known to the bridge: outcome_unknown: "it is not known yet"`},
		{
			schema.Error{Code: schema.ProviderRejected, Message: "no", Provider: &schema.ProviderAnswer{HTTPStatus: 400, ErrorInfo: "No such\ngateway"}},
			`refused by the bridge: provider_rejected: "no"; the provider said "No such\ngateway"`,
		},
	} {
		if got := (&client.Error{Reply: tt.reply}).Error(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
