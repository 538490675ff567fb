package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/terminalgroups"
)

const areaProvider = "provider"

// Bounds of asking the provider.
const (
	// listLimit bounds the list of one group's terminals, all its pages.
	listLimit = 30 * time.Second
	// groupsAtOnce are asked at the same time.
	groupsAtOnce = 8
	// named are the terminals that a finding names before it only counts them.
	named = 5
)

// onProvider asks for every group's terminals, which tries its key.
func (c *checker) onProvider(ctx context.Context) {
	c.providerClock(ctx)
	groups := c.groups.Groups()
	lists := make([]groupList, len(groups))
	var wg sync.WaitGroup
	free := make(chan struct{}, groupsAtOnce)
	for i, g := range groups {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			lists[i] = c.list(ctx, g)
		})
	}
	wg.Wait()
	owners := map[string][]string{} // terminal → groups that have it
	for i, l := range lists {
		for j, other := range lists[:i] {
			if other.group.Key.Equal(l.group.Key) {
				c.add(areaProvider, "group "+l.group.ID, Warning, "give each group its own key", "its key is that of group %s", lists[j].group.ID)
			}
		}
		for _, t := range l.own() {
			if !t.Foreign() { // no payments are taken there
				owners[t.ID] = append(owners[t.ID], l.group.ID)
			}
		}
		c.group(l)
	}
	c.duplicates(owners)
	c.assignments(ctx, lists)
}

// groupList is what the provider says of one group.
type groupList struct {
	group     terminalgroups.Group
	terminals []multisafepay.Terminal
	took      time.Duration
	err       error
}

// groupNumbers are the provider's numbers of the groups whose terminals the key sees.
func (l groupList) groupNumbers() []string {
	var numbers []string
	for _, t := range l.terminals {
		if t.GroupID != "" && !slices.Contains(numbers, t.GroupID) {
			numbers = append(numbers, t.GroupID)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// own are the terminals that are the group's for all that is known: of a list of
// the whole account, those that name the group.
func (l groupList) own() []multisafepay.Terminal {
	numbers := l.groupNumbers()
	if len(numbers) <= 1 && !slices.Contains(numbers, l.group.ID) {
		return l.terminals
	}
	var own []multisafepay.Terminal
	for _, t := range l.terminals {
		if t.GroupID == l.group.ID {
			own = append(own, t)
		}
	}
	return own
}

func (c *checker) list(ctx context.Context, g terminalgroups.Group) groupList {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	began := time.Now()
	terminals, err := c.client.Terminals(ctx, g.Key, g.ID)
	return groupList{g, terminals, time.Since(began), err}
}

// group reports on one group's key and terminals.
func (c *checker) group(l groupList) {
	subject := "group " + l.group.ID
	if l.err != nil {
		advice := "check that BRIDGE_API_URL is the provider's, and that this machine can reach it (proxy, firewall, NetworkPolicy)"
		if failure, ok := errors.AsType[*multisafepay.Error](l.err); ok {
			switch failure.Kind {
			case multisafepay.KindKey:
				if failure.Status == http.StatusForbidden && c.Config.Provider.GroupsFile != "" {
					c.add(areaProvider, subject, Warning, "list the group's terminals in BRIDGE_TERMINAL_GROUPS_FILE; if the provider refuses payments too, correct the key",
						"the key may not list terminals: %v", l.err)
					return
				}
				advice = "correct this group's API key: it must be the key of the terminal group at BRIDGE_API_URL"
			case multisafepay.KindUnavailable, multisafepay.KindTimeout, multisafepay.KindLimited:
				advice = "the provider is busy or fails: try again later"
			case multisafepay.KindRejected, multisafepay.KindNonsense, multisafepay.KindNotFound:
				advice = "check that BRIDGE_API_URL is the API's (it ends in /v1/json), and that the key is a terminal group's"
			}
		}
		c.add(areaProvider, subject, Failure, advice, "%v", l.err)
		return
	}
	var idle, foreign []string
	for _, t := range l.own() {
		if !t.Active {
			idle = append(idle, t.ID)
		}
		if t.Foreign() {
			foreign = append(foreign, t.ID+" ("+t.Provider+")")
		}
	}
	detail := fmt.Sprintf("key accepted in %s, %s", l.took.Round(time.Millisecond), count(len(l.terminals), "terminal"))
	numbers := l.groupNumbers()
	if len(numbers) > 1 {
		detail += fmt.Sprintf(" of the account, in the groups %s; %d of this group", names(numbers), len(l.own()))
	}
	switch {
	case len(l.terminals) == 0:
		c.add(areaProvider, subject, Warning, "assign terminals to the group at the provider", "%s", detail)
	case len(numbers) > 1 && !slices.Contains(numbers, l.group.ID):
		advice := "payments on terminals of other groups fail: for several groups, use BRIDGE_TERMINAL_GROUPS_FILE"
		if c.Config.Provider.GroupsFile != "" {
			advice = "use the provider's number as the id of the group, or list its terminals in BRIDGE_TERMINAL_GROUPS_FILE: the bridge refuses other terminals"
		}
		c.add(areaProvider, subject, Warning, advice, "%s", detail)
	case len(idle) > 0:
		c.add(areaProvider, subject, Warning, "activate them at the provider if you want payments there", "%s, of which inactive: %s", detail, names(idle))
	case len(foreign) > 0:
		c.add(areaProvider, subject, Warning, "ignore this if you want no payments there", "%s, of which from another manufacturer: %s", detail, names(foreign))
	default:
		c.add(areaProvider, subject, OK, "", "%s", detail)
	}
}

// duplicates reports terminals that the provider lists in several groups.
func (c *checker) duplicates(owners map[string][]string) {
	var twice []string
	for terminal, groups := range owners {
		if len(groups) > 1 {
			twice = append(twice, terminal+" ("+strings.Join(groups, ", ")+")")
		}
	}
	if len(twice) > 0 {
		slices.Sort(twice)
		c.add(areaProvider, "terminals", Failure, "leave each terminal in one group, or list it in one group of BRIDGE_TERMINAL_GROUPS_FILE: with another group's key, every call for its orders fails", "in more than one group: %s", names(twice))
	}
}

// assignments holds the groups file to what the provider says: a terminal that
// the file gives to another group than the provider.
func (c *checker) assignments(ctx context.Context, lists []groupList) {
	if c.Config.Provider.GroupsFile == "" {
		return
	}
	var wrong []string
	for _, l := range lists {
		for _, t := range l.own() {
			g, err := c.groups.Lookup(ctx, t.ID)
			_, shared := errors.AsType[*terminalgroups.SharedError](err)
			_, unserved := errors.AsType[*terminalgroups.UnservedError](err)
			switch {
			case shared, unserved: // see duplicates and group
			case errors.Is(err, terminalgroups.ErrUnknownTerminal):
				wrong = append(wrong, t.ID+" (of group "+l.group.ID+", in none of the file's)")
			case err == nil && g.ID != l.group.ID:
				wrong = append(wrong, t.ID+" (of group "+l.group.ID+", in the file of "+g.ID+")")
			}
		}
	}
	if len(wrong) > 0 {
		c.add(areaProvider, "terminals", Warning, "correct the terminals in BRIDGE_TERMINAL_GROUPS_FILE, or remove them so that the bridge asks the provider",
			"the file differs from the provider: %s", names(wrong))
	}
}

// names lists some names and counts the others.
func names(all []string) string {
	if len(all) <= named {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:named], ", "), len(all)-named)
}

// providerClock looks at the date of an answer. It asks without a key, and for
// nothing: whatever the answer is, it has a date.
func (c *checker) providerClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.Config.Timing.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.Config.Provider.URL, http.NoBody)
	if err != nil {
		return // an address that cannot be used was refused before
	}
	req.Header.Set("User-Agent", c.UserAgent)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return // the list of terminals says why
	}
	defer resp.Body.Close()
	ours := began.Add(time.Since(began) / 2)
	if said, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.clocks = append(c.clocks, clock{"provider", said.Add(dateStep / 2), ours})
	}
}
