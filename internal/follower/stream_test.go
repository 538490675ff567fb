package follower

import (
	"errors"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// A refused token is tried again until it has expired, and for a while when it does
// not say when that is.
func TestLostStreams(t *testing.T) {
	t.Parallel()
	start := time.Now()
	refused, dropped := &multisafepay.Error{Err: multisafepay.ErrStreamRefused}, &multisafepay.Error{Err: multisafepay.ErrStreamEnded}
	for name, tt := range map[string]struct {
		expires time.Time
		ends    []error // one every half minute
		want    bool    // after the last
	}{
		"another host":                        {ends: []error{&multisafepay.Error{Err: multisafepay.ErrStreamHost}}, want: true},
		"an unusable token":                   {ends: []error{&multisafepay.Error{Err: multisafepay.ErrStreamToken}}, want: true},
		"dropped":                             {ends: []error{dropped, dropped, dropped, dropped}},
		"dropped, and the token has expired":  {expires: start.Add(-time.Hour), ends: []error{dropped}},
		"something else":                      {ends: []error{errors.New("no route")}},
		"refused, and the token is good":      {expires: start.Add(time.Hour), ends: []error{refused, refused, refused, refused}},
		"refused, and the token has expired":  {expires: start.Add(-time.Hour), ends: []error{refused}, want: true},
		"refused once, without an expiry":     {ends: []error{refused}},
		"refused for a minute, without one":   {ends: []error{refused, refused, refused}},
		"refused for longer, without one":     {ends: []error{refused, refused, refused, refused}, want: true},
		"refused, taken, refused, without it": {ends: []error{refused, refused, dropped, refused, refused, refused}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r streamReader
			got := false
			for i, err := range tt.ends {
				got = r.isLost(err, tt.expires, start.Add(time.Duration(i)*30*time.Second))
			}
			if got != tt.want {
				t.Errorf("lost = %t, want %t", got, tt.want)
			}
		})
	}
}
