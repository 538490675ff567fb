package terminalgroups

import (
	"errors"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// TestListsOfAllKinds: whatever a key's list looks like, a terminal is served by
// the right group, or refused with what to write into the file.
func TestListsOfAllKinds(t *testing.T) {
	t.Parallel()
	account := []string{"T1@57958", "T2@57959", "T3@57959!", "T4@57960", "T5"}
	one := []string{"T1@57958", "T3@57958!"}
	numbers := "groups: [{id: '57958', api_key: key-a}, {id: '57959', api_key: key-b}, {id: c, api_key: key-c, terminals: [T4]}]"
	names := "groups: [{id: a, api_key: key-a}, {id: b, api_key: key-b}, {id: c, api_key: key-c, terminals: [T4]}]"
	mixed := "groups: [{id: a, api_key: key-a}, {id: '57959', api_key: key-b}]"
	forbidden := &multisafepay.Error{Op: "terminals", Kind: multisafepay.KindKey, Status: 403}
	down := &multisafepay.Error{Op: "terminals", Kind: multisafepay.KindUnavailable, Status: 503}
	tests := map[string]struct {
		file     string
		a, b     []string
		errA     error
		errB     error
		terminal string
		want     string // the group's id, or what the refusal says
	}{
		"account twice, first group":      {numbers, account, account, nil, nil, "T1", "57958"},
		"account twice, second group":     {numbers, account, account, nil, nil, "T2", "57959"},
		"account twice, inactive":         {numbers, account, account, nil, nil, "T3", "T3 of group 57959 is not active"},
		"account twice, named":            {numbers, account, account, nil, nil, "T4", "c"},
		"account twice, no group":         {numbers, account, account, nil, nil, "T5", "no terminal group serves"},
		"account twice, group of nobody":  {mixed, account, account, nil, nil, "T4", `id: "57960"`},
		"account twice, named groups":     {names, account, account, nil, nil, "T1", `id: "57958" in the groups file, or name it in the groups file, in the group whose key serves it, terminals: [T1, …]`},
		"account twice, half of it clear": {mixed, account, account, nil, nil, "T2", "57959"},
		"account once":                    {names, account, nil, nil, nil, "T1", "several groups"},
		"account and own list":            {names, account, []string{"T2@57959"}, nil, nil, "T2", "b"},
		"account of one group, twice":     {names, one, one, nil, nil, "T1", "more than one terminal group (a, b): in the groups file, name it"},
		"one group twice, one is named so": {
			"groups: [{id: a, api_key: key-a}, {id: '57958', api_key: key-b}]", one, one, nil, nil, "T1", "57958",
		},
		"own lists":                     {names, one, []string{"T2@57959"}, nil, nil, "T2", "b"},
		"own lists, inactive":           {names, one, []string{"T2@57959"}, nil, nil, "T3", "not active"},
		"inactive here, active there":   {names, one, []string{"T3@57959"}, nil, nil, "T3", "b"},
		"no numbers at all":             {names, []string{"T1"}, []string{"T2"}, nil, nil, "T2", "b"},
		"id looks like a number":        {numbers, []string{"T1"}, []string{"T2"}, nil, nil, "T2", "57959"},
		"another number than the id":    {numbers, []string{"T1@1"}, []string{"T2@2"}, nil, nil, "T2", "57959"},
		"forbidden, unknown":            {names, nil, []string{"T2"}, forbidden, nil, "T1", "the key of group a may not list its terminals: name it in the groups file, in the group whose key serves it, terminals: [T1, …]"},
		"forbidden, other serves":       {names, nil, []string{"T2"}, forbidden, nil, "T2", "b"},
		"forbidden, named":              {names, nil, nil, forbidden, forbidden, "T4", "c"},
		"forbidden and down":            {names, nil, nil, forbidden, down, "T1", "unavailable"},
		"inactive, but a group is down": {names, one, nil, nil, down, "T3", "unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(map[string][]string{})
			p.set("key-a", test.errA, test.a...)
			p.set("key-b", test.errB, test.b...)
			d, _ := setup(t, test.file, p)
			g, err := d.Lookup(t.Context(), test.terminal)
			switch {
			case err == nil && g.ID != test.want:
				t.Errorf("group %s, want %s", g.ID, test.want)
			case err != nil && !strings.Contains(err.Error(), test.want):
				t.Errorf("error %q, want %q", err, test.want)
			case err != nil && errors.Is(err, ErrUnknownTerminal) == strings.Contains(err.Error(), "unavailable"):
				t.Errorf("error %q is an ErrUnknownTerminal, or should be", err)
			}
		})
	}
}
