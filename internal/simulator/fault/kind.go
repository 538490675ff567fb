package fault

import "slices"

// Kind describes a kind of fault to people and programs.
type Kind struct {
	Name Name `json:"name"`
	// Where it befalls a client: stream, api or terminal.
	Where string `json:"where"`
	// Does says what happens, in a sentence.
	Does string `json:"does"`
	// Imitates says what it stands for, in a sentence.
	Imitates string `json:"imitates"`
	// Fields that it takes, besides id, order_id, terminal_id, count and after.
	Fields []string `json:"fields,omitempty"`
	// Modes that it knows, the one meant by none first.
	Modes []string `json:"modes,omitempty"`
}

// kinds in the order in which they are shown.
var kinds = []Kind{
	{DropStream, "stream", "Cuts the event stream after so many events (after), at once by default; clean ends it properly instead.", "A proxy or a network that gives up.", []string{"clean"}, nil},
	{RefuseStream, "stream", "Answers the opening of a stream with a status, 500 by default.", "An overloaded or restarting event server.", []string{"status", "error_code", "error_info", "retry_after"}, nil},
	{HangStream, "stream", "Takes the opening of a stream and never answers.", "A stalled load balancer.", nil, nil},
	{SilentStream, "stream", "Leaves a stream open, but sends nothing more on it after so many events (after), not even heartbeats.", "A connection that died without a sign.", nil, nil},
	{LoseEvents, "stream", "An event is not sent. Only a request for the order shows the change.", "A gap on the provider's side.", nil, nil},
	{DuplicateEvents, "stream", "An event is sent twice.", "At-least-once delivery.", nil, nil},
	{OutOfOrderEvents, "stream", "An event is sent after the one that follows it.", "Two event servers that race.", nil, nil},
	{JoinedEvents, "stream", "Two events are sent with no blank line between them.", "The stream as the provider's own page prints it.", nil, nil},
	{OtherOrderEvent, "stream", "An event of another order comes first.", "A mix-up between sessions.", nil, nil},
	{OtherEventType, "stream", "An event of the type session.qr comes first.", "The stream's other users.", nil, nil},
	{GarbageEvent, "stream", "The first event has data that is not JSON, with a card number and the events token in it; or data, if given.", "A bug at the provider that would put secrets into your logs.", []string{"data"}, nil},
	{HugeEvent, "stream", "An event has a line of size bytes, 1 MiB by default, 16 MiB at most.", "A provider that adds a field without limits.", []string{"size"}, nil},
	{OddFraming, "stream", "A stream is written in another way that the standard allows.", "A new event server, or a proxy that rewrites the stream.", []string{"mode"}, framings},
	{UnterminatedEvent, "stream", "The final event lacks its blank line and the stream ends after it: a strict reader must not see it.", "A connection that ends in the middle of the last event.", nil, nil},
	{OddEvent, "stream", "An event has another name or its data another shape.", "Other versions of the event server, as the provider's SDK takes them.", []string{"mode"}, eventModes},
	{History, "stream", "A new stream sends the order's past events, in one of the modes.", "A server that keeps events.", []string{"mode"}, []string{HistoryReplay, HistoryReplayIDs, HistoryResume, HistoryIDs}},
	{PresentState, "stream", "A new stream sends the order's present state first.", "A server that does this; --present-state does it for all orders.", nil, nil},
	{CompressedStream, "stream", "A stream is compressed with gzip, whether or not that was asked for.", "A gateway that compresses everything.", nil, nil},
	{ExpiredToken, "stream", "The events token of a new order has expired, or will after delay; an open stream stays open, or is cut then.", "A payment that takes longer than its token lives.", []string{"delay", "mode"}, []string{ExpiryKeeps, ExpiryCuts}},
	{OtherHostStreamURL, "stream", "The create answer names another host for the event stream: url, or the same server under another name.", "A forged or misdirected answer: a client must not send its token there.", []string{"url"}, nil},
	{
		LoseCreateAnswer, "api",
		"An order is created (not with not_made, or only after delay), and the answer is lost in one of the modes.",
		"A time-out at the worst moment: was the payment created or not?",
		[]string{"mode", "status", "error_code", "error_info", "retry_after", "not_made", "size", "delay"},
		loseModes,
	},
	{
		LoseAnswer, "api",
		"A call of any operation is carried out (not with not_made, or only after delay), and its answer is lost in one of the modes.",
		"A network that fails after the work was done.",
		[]string{"operation", "mode", "status", "error_code", "error_info", "retry_after", "not_made", "size", "delay"},
		loseModes,
	},
	{FailAPI, "api", "A call is answered with a status, 500 by default, in one of the modes' shapes, and nothing is done.", "A provider that is down, overloaded or being updated, or that says no.", []string{"operation", "status", "error_code", "error_info", "retry_after", "mode"}, shapes},
	{SlowAPI, "api", "A call is carried out after delay, 3 s by default; late carries it out at once and delays the answer.", "A provider on a busy day.", []string{"operation", "delay", "late"}, nil},
	{Redirect, "api", "A call or a stream is redirected with a status, 307 by default, to url or to a trap under another host name, which records every client that follows.", "A captive portal or a hijacked name.", []string{"operation", "status", "url"}, nil},
	{StaleGet, "api", "A request for an order returns its state before the last change.", "A read replica that lags.", nil, nil},
	{ErrorsWith200, "api", "An error is answered with HTTP status 200. This fault alone causes no error.", "The provider sometimes does this.", []string{"operation"}, nil},
	{OddAnswer, "api", "A call is carried out, and its answer is written in another way.", "Older and newer versions of the provider, and answers that its plugins accept.", []string{"operation", "mode", "data"}, oddModes()},
	{AccountTerminals, "api", "The terminals list has all terminals of the account: of every group, of other makers, and inactive ones, with group_id as a number and as text.", "The list as the provider's documents have it.", nil, nil},
	{OddPager, "api", "The pager of the terminals list has other fields.", "The pagers of the provider's other lists.", []string{"mode"}, []string{PagerPage, PagerOffset, PagerNone}},
	{RepeatCall, "api", "A call is carried out twice, and the second answer is sent. For a create that is 1006, although the order exists.", "A proxy that repeats a POST.", []string{"operation"}, nil},
	{HideOrder, "api", "A new order cannot be asked for, cancelled or printed for delay, 3 s by default: 404 with 1006, or status and error_code. A repeated create is refused with 1006.", "An order that is still a pre-transaction.", []string{"delay", "status", "error_code", "error_info"}, nil},
	{BusyTerminal, "terminal", "A create is refused because another payment is open on the terminal, whether or not one is: 409, or 400 and 422 in the modes usual and validation.", "A confirmation screen that stays.", []string{"mode", "status", "error_code", "error_info"}, shapes},
	{OfflineTerminal, "terminal", "A new order does not reach its terminal. There is no customer and no inactivity time.", "A terminal that is off, or not in cloud mode.", nil, nil},
	{LateCancel, "terminal", "A cancel comes too late: the payment is approved at that moment, and the cancel is refused.", "A customer who was quicker.", nil, nil},
	{LaterStatus, "terminal", "An order with the status when changes to the status becomes after delay, 3 s by default.", "An approval after a cancel, a card that was pulled too early, a chargeback.", []string{"when", "becomes", "delay"}, nil},
	{Pretransaction, "api", "A new order is notified at once, with payload_type=pretransaction in the query.", "The provider's webhook for orders that are not yet transactions.", nil, nil},
	{EagerTerminal, "terminal", "The customer acts at once, before a client can open the stream.", "A customer who holds the card to the terminal already.", nil, nil},
}

// Kinds lists every kind of fault in the order in which they are documented.
func Kinds() []Kind { return slices.Clone(kinds) }

func kindOf(name Name) (Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Modes lists the modes that a kind of fault knows.
func Modes(name Name) []string {
	kind, _ := kindOf(name)
	return slices.Clone(kind.Modes)
}
