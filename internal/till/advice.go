package till

import (
	"errors"
	"fmt"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// Describe says what an error is, in one line for a person.
func Describe(err error) string {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		beginning := "refused by the bridge"
		if refused.Reply.Code == schema.OutcomeUnknown { // no refusal: who reads that it was one may charge again
			beginning = "not known to the bridge"
		}
		return fmt.Sprintf("%s: %s (%s)", beginning,
			Printable(refused.Reply.Message, maxShown), Printable(string(refused.Reply.Code), maxShown))
	}
	for _, told := range []error{
		asError[*NoBridgeError](err), asError[*client.DeniedError](err), asError[*ConnectError](err), asError[*SettingError](err),
	} {
		if told != nil {
			return told.Error()
		}
	}
	switch {
	case errors.Is(err, client.ErrClosed):
		return "the connection to NATS is closed: the server no longer accepts these credentials"
	case errors.Is(err, client.ErrNoReply):
		return client.ErrNoReply.Error()
	}
	return Printable(err.Error(), maxShown)
}

func asError[E error](err error) error {
	if found, ok := errors.AsType[E](err); ok {
		return found
	}
	return nil
}

// Advice says what to do about an error, in lines for a person; none if there
// is nothing to say. terminal and order are those that were asked for; either
// may be empty.
func (s *Screen) Advice(err error, terminal, order string) []string {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return s.refusedAdvice(refused, terminal, order)
	}
	if _, ok := errors.AsType[*NoBridgeError](err); ok {
		return []string{
			fmt.Sprintf("start one with %q, or with %q to try things out;", s.program()+" serve", s.program()+" dev"),
			"if one is running elsewhere, say where: BRIDGE_NATS_URL or --context, and BRIDGE_SUBJECT_PREFIX",
		}
	}
	if _, ok := errors.AsType[*ConnectError](err); ok {
		return []string{"say where NATS is, and who you are there: BRIDGE_NATS_URL and BRIDGE_NATS_CREDS_FILE, or --context with a context of the nats CLI"}
	}
	if denied, ok := errors.AsType[*client.DeniedError](err); ok {
		advice := []string{"ask for that right, or connect as another user (BRIDGE_NATS_CREDS_FILE, --context)"}
		if denied.Subscribe {
			return advice
		}
		if terminal != "" && order == "" {
			advice = append(advice, "a user who is bound to one terminal can ask for one order: --terminal "+terminal+" --order ID")
		}
		return advice
	}
	switch {
	case errors.Is(err, client.ErrNoStream):
		return []string{"the bridge makes the stream when it starts; without --since the live events are shown"}
	case errors.Is(err, client.ErrNoReply) && terminal != "" && order != "":
		return []string{"see what became of it: " + s.command("sessions --terminal %s --order %s", terminal, order)}
	}
	return nil
}

// refusedAdvice is what the provider said, what schema.AdviceOn says of the answer to
// this command, and the commands of this program that go with it.
func (s *Screen) refusedAdvice(refused *client.Error, terminal, order string) []string {
	var lines []string
	if p := refused.Reply.Provider; p != nil {
		lines = append(lines, fmt.Sprintf("MultiSafepay answered HTTP %d, error %d: %s", p.HTTPStatus, p.ErrorCode, Printable(p.ErrorInfo, maxShown)))
	}
	advice, _ := schema.AdviceOn(refused.Command, refused.Reply.Code)
	lines = append(lines, advice.Means, advice.Do)
	open := "sessions"
	if terminal != "" {
		open += " --terminal " + terminal
	}
	switch code := refused.Reply.Code; {
	case terminal == "" || order == "":
		if code == schema.NotFound {
			lines = append(lines, "what is open now: "+s.command("%s", open))
		}
	case advice.Next == schema.Follow:
		lines = append(lines, "follow it: "+s.command("watch --terminal %s --order %s --since 1h", terminal, order))
	case code == schema.TerminalBusy:
		lines = append(lines, "see it: "+s.command("%s", open), "cancel it: "+s.command("cancel --terminal %s --order THAT_ORDER", terminal))
	case code == schema.OrderConflict:
		lines = append(lines, "look at it: "+s.command("%s --order %s", open, order))
	case code == schema.NotFound:
		lines = append(lines, "what is open now: "+s.command("%s", open))
	}
	return lines
}

// linkText says what became of the connection.
func linkText(u client.Link) string {
	switch {
	case !u.Up:
		return "connection to NATS lost, trying again…"
	case u.Blind:
		return "connection to NATS is back; events of the time between may be missing (the status stream cannot be read)"
	}
	return "connection to NATS is back"
}

// missed says which statuses before this one could not be seen.
func missed(s client.Status) string {
	if s.Missed == 1 {
		return fmt.Sprintf("status %d of order %s was missed", s.Sequence-1, Printable(s.OrderID, maxShown))
	}
	return fmt.Sprintf("statuses %d to %d of order %s were missed", s.Sequence-s.Missed, s.Sequence-1, Printable(s.OrderID, maxShown))
}
