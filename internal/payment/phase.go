package payment

import (
	"fmt"
	"slices"
	"time"

	"github.com/posbridge/bridge/schema"
)

// Phase is what a payment is doing. It is one of the types below.
type Phase interface{ name() string }

// The phases of a payment.
type (
	// Arriving reads the log of an order of which nothing is known yet.
	Arriving struct{}
	// Inquiring asks the owner of the session whether it follows it.
	Inquiring struct {
		Log   Log
		Since time.Time
		// Storing counts the answers that the owner has something to store first.
		Storing int
	}
	// Connecting opens the event stream of an open order before it is claimed.
	Connecting struct{ Log Log }
	// Claiming stores a claim that makes this replica the owner.
	Claiming struct{ Goal Goal }
	// Creating puts the order to the provider, or finds out whether it exists.
	Creating struct {
		Belief Belief
		// Posting is set while a create is on its way.
		Posting bool
		// Sent is set once a create of this replica may have been carried out.
		Sent bool
		// Failure is what ends the session if nothing was created.
		Failure Posted
		// Tries counts requests, for the pauses between them.
		Tries int
		Since time.Time
	}
	// Opening stores that the order exists.
	Opening struct{}
	// Following reads the event stream and stores statuses.
	Following struct{}
	// HandingOver goes on following until another replica has claimed the session.
	HandingOver struct{}
	// GivingUp has reached BRIDGE_SESSION_TIMEOUT, or is condemned: it asks and
	// cancels once more.
	GivingUp struct {
		// Unproven is set while it is not known that the order exists, Missing when
		// it is certain that it does not and will not.
		Unproven, Missing bool
		// Cancelling is set once the cancel was sent.
		Cancelling bool
		// Impatient is set when the step has taken long enough.
		Impatient bool
	}
	// Ending stores a final status of the bridge's own.
	Ending struct{ Status string }
	// Settling has stored a final status: it unlocks the terminal and reads the
	// stream for the settle window.
	Settling struct {
		// Over is set once the window has passed.
		Over bool
	}
	// Watching asks for an order that is over from time to time.
	Watching struct{}
	// Closing stores the negative answer of a session without an order.
	Closing struct{ Answer *schema.Error }
	// Unlocking takes a session that is over out of the queue, then answers.
	Unlocking struct{ Answer AnswerStart }
	// Withdrawing cancels an order that was created after its session was closed.
	Withdrawing struct{ Tries int }
	// Left is the end: this replica has nothing more to do with the payment.
	Left struct{}
)

// Goal is what a claim is stored for.
type Goal int

// What a claim is stored for.
const (
	// GoalCreate: to create the order of a session that nobody had before.
	GoalCreate Goal = iota + 1
	// GoalFindOut: to go on where an owner may have created the order.
	GoalFindOut
	// GoalFollow: to go on with an open order.
	GoalFollow
	// GoalWatch: to publish what became of an order that is over.
	GoalWatch
)

// Belief is what is known of the order while it is being created.
type Belief int

// What is known of the order.
const (
	// Nothing: no create can have reached the provider.
	Nothing Belief = iota
	// Claimed: the first create met an order with this id, perhaps another one.
	Claimed
	// Doubt: a create of this session may have been, or may yet be, carried out.
	Doubt
	// Proven: a repeated create met the order, so the first one was carried out.
	Proven
)

func (Arriving) name() string    { return "arriving" }
func (Inquiring) name() string   { return "inquiring" }
func (Connecting) name() string  { return "connecting" }
func (Claiming) name() string    { return "claiming" }
func (Creating) name() string    { return "creating" }
func (Opening) name() string     { return "opening" }
func (Following) name() string   { return "following" }
func (HandingOver) name() string { return "handing over" }
func (GivingUp) name() string    { return "giving up" }
func (Ending) name() string      { return "ending" }
func (Settling) name() string    { return "settling" }
func (Watching) name() string    { return "watching" }
func (Closing) name() string     { return "closing" }
func (Unlocking) name() string   { return "unlocking" }
func (Withdrawing) name() string { return "withdrawing" }
func (Left) name() string        { return "left" }

// transitions are the legal moves. A phase may always become itself.
var transitions = map[string][]string{
	"arriving":     {"claiming", "connecting", "inquiring", "unlocking", "left"},
	"inquiring":    {"claiming", "connecting", "left"},
	"connecting":   {"claiming", "left"},
	"claiming":     {"arriving", "creating", "following", "giving up", "watching", "left"},
	"creating":     {"opening", "closing", "ending", "giving up", "left"},
	"opening":      {"following", "withdrawing", "left"},
	"following":    {"settling", "handing over", "giving up", "left"},
	"handing over": {"settling", "left"},
	"giving up":    {"settling", "ending", "left"},
	"ending":       {"settling", "left"},
	"settling":     {"watching", "left"},
	"watching":     {"left"},
	"closing":      {"ending", "unlocking", "left"},
	"unlocking":    {"left"},
	"withdrawing":  {"left"},
	"left":         {},
}

// become changes the phase. An illegal move is a fault of this package.
func (t *turn) become(next Phase) {
	if now := t.p.Phase; now != nil && now.name() != next.name() && !slices.Contains(transitions[now.name()], next.name()) {
		panic(fmt.Sprintf("payment: no way from %s to %s", now.name(), next.name()))
	}
	t.p.Phase = next
}
