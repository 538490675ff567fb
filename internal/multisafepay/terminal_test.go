package multisafepay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/posbridge/bridge/internal/redact"
)

// pages serves a list of terminals, size by size, with a pager or without.
func pages(ids []string, size int, pager bool, requests *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		from := min((page-1)*size, len(ids))
		data := []map[string]any{}
		for _, id := range ids[from:min(from+size, len(ids))] {
			data = append(data, map[string]any{"id": id, "provider": "CTAP", "name": "till " + id, "active": true, "group_id": 7})
		}
		answer := map[string]any{"success": true, "data": data}
		if pager {
			answer["pager"] = map[string]any{"before": "", "limit": size, "total_items": len(ids)}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func TestTerminalsFollowsThePager(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		count, size  int
		pager        bool
		wantRequests int32
	}{
		{0, 100, true, 1},
		{0, 100, false, 1},
		{1, 100, true, 1},
		{99, 100, false, 1},
		{100, 100, true, 1},
		{100, 100, false, 2},
		{101, 100, true, 2},
		{250, 100, false, 3},
		{25, 10, true, 3},   // a server that has its own idea of a page
		{250, 250, true, 1}, // and one that gives all at once
	} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			t.Parallel()
			var ids []string
			var want []Terminal
			for i := range test.count {
				id := fmt.Sprintf("%08d", i)
				ids = append(ids, id)
				want = append(want, Terminal{ID: id, Active: true, GroupID: "7", Provider: "CTAP"})
			}
			var requests atomic.Int32
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if q := r.URL.Query(); r.URL.Path != "/v1/json/terminals" || q.Get("limit") != "100" || q.Get("api_key") != testKey || len(q) != 3 {
					t.Errorf("request = %s", r.URL.Path)
				}
				pages(ids, test.size, test.pager, &requests)(w, r)
			})
			got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), "")
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %d terminals %v, want %d", len(got), got, len(want))
			}
			if requests.Load() != test.wantRequests {
				t.Errorf("%d requests, want %d", requests.Load(), test.wantRequests)
			}
		})
	}
}

func TestTerminalsEnds(t *testing.T) {
	t.Parallel()
	t.Run("a server that ignores the page", func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			reply(200, `{"success":true,"data":[{"id":"T1"},{"id":"T2"}],"pager":{"total_items":1000000}}`)(w, r)
		})
		got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), "")
		if err != nil || len(got) != 2 || requests.Load() != 2 {
			t.Errorf("got %v, %v after %d requests; want two terminals after two", got, err, requests.Load())
		}
	})
	t.Run("a list without end", func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
			reply(200, fmt.Sprintf(`{"success":true,"data":[{"id":"T%d"}],"pager":{"total_items":1000000}}`, requests.Add(1)))(w, r)
		})
		got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), "")
		wantKind(t, err, KindNonsense)
		if got != nil || requests.Load() != maxTerminalPages {
			t.Errorf("got %d terminals after %d requests, want none after %d", len(got), requests.Load(), maxTerminalPages)
		}
	})
	t.Run("an error on a later page", func(t *testing.T) {
		t.Parallel()
		client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") == "2" {
				reply(503, "")(w, r)
				return
			}
			reply(200, `{"success":true,"data":[{"id":"T1"}],"pager":{"total_items":2}}`)(w, r)
		})
		got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), "")
		if wantKind(t, err, KindUnavailable); got != nil {
			t.Errorf("got %v, want no half list", got)
		}
	})
}

func TestTerminalsOddAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want []Terminal
		kind Kind
	}{
		"odd entries": {
			body: `{"success":true,"data":[{"id":7},{"id":null},{"name":"x"},{"id":"a b"},{"id":"T1","name":null,"active":false},{"id":"T1"},{"id":"T2","active":0},{"id":"T3","name":"` + strings.Repeat("ä", 200) + `"}]}`,
			want: []Terminal{{ID: "7", Active: true}, {ID: "T1"}, {ID: "T2"}, {ID: "T3", Active: true}},
		},
		"odd pager":     {body: `{"success":true,"data":[{"id":"T1"}],"pager":{"total_items":"many"}}`, want: []Terminal{{ID: "T1", Active: true}}},
		"pager as list": {body: `{"success":true,"data":[{"id":"T1"}],"pager":[]}`, want: []Terminal{{ID: "T1", Active: true}}},
		"total too low": {body: `{"success":true,"data":[{"id":"T1"}],"pager":{"total_items":0}}`, want: []Terminal{{ID: "T1", Active: true}}},
		"object":        {body: `{"success":true,"data":{}}`, kind: KindLost},
		"null":          {body: `{"success":true,"data":null}`, kind: KindLost},
		"no data":       {body: `{"success":true}`, kind: KindLost},
		"bad entry":     {body: `{"success":true,"data":["T1"]}`, kind: KindLost},
		"bad key":       {body: `{"success":false,"error_code":1032}`, kind: KindKey},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, reply(200, test.body))
			got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), "")
			if test.kind != 0 {
				wantKind(t, err, test.kind)
			} else if err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestTerminalsByOffset: a pager that counts entries instead of pages.
func TestTerminalsByOffset(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		data := []map[string]any{}
		for i := offset; i < min(offset+2, 5); i++ {
			data = append(data, map[string]any{"id": fmt.Sprint("T", i)})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "data": data, "pager": map[string]any{"total": "5", "offset": offset, "limit": 2}})
	})
	got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), "")
	if err != nil || len(got) != 5 || got[4].ID != "T4" {
		t.Errorf("got %v, %v; want five", got, err)
	}
}

// TestTerminalsOfAGroup: with the group's number its own list is asked for, and
// the account's if the provider does not give that.
func TestTerminalsOfAGroup(t *testing.T) {
	t.Parallel()
	const account = `{"success":true,"data":[{"id":"T1","group_id":57958,"provider":"smartpos","active":1},{"id":"T2","group_id":"57959","provider":"VERIFONE","active":"0","code":"x"}]}`
	all := []Terminal{{ID: "T1", Active: true, GroupID: "57958", Provider: "SMARTPOS"}, {ID: "T2", GroupID: "57959", Provider: "VERIFONE"}}
	tests := map[string]struct {
		group  string
		status int
		body   string
		want   []Terminal
		kind   Kind
	}{
		"given":              {"57958", 200, `{"success":true,"data":[{"id":"T1"}]}`, []Terminal{{ID: "T1", Active: true, GroupID: "57958"}}, 0},
		"forbidden":          {"57958", 403, `{"message":"Forbidden"}`, all, 0},
		"not there":          {"57958", 404, "<html>", all, 0},
		"refused":            {"57958", 400, `{"success":false,"error_code":1001}`, all, 0},
		"fails":              {"57958", 503, "", nil, KindUnavailable},
		"limited":            {"57958", 429, "", nil, KindLimited},
		"no number":          {"amsterdam", 200, "", all, 0},
		"no number of a set": {"../57958", 200, "", all, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/v1/json/terminals":
					reply(200, account)(w, r)
				case "/v1/json/terminal-groups/57958/terminals":
					reply(test.status, test.body)(w, r)
				default:
					t.Errorf("request for %s", r.URL.Path)
				}
			})
			got, err := client.Terminals(t.Context(), redact.NewSecret(testKey), test.group)
			if test.kind != 0 {
				wantKind(t, err, test.kind)
			} else if err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	if all[0].Foreign() || !all[1].Foreign() || (Terminal{}).Foreign() {
		t.Error("Foreign does not go by the provider")
	}
}
