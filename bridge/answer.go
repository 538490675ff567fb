package bridge

import (
	"encoding/json"
	"strconv"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// answer tells the requester that the order exists. It is sent once; a replica
// that took the session over before that was known may send it a second time,
// which a requester never sees.
func (s *session) answer(created bool) {
	if s.answered {
		return
	}
	s.reply(string(""), nil, s.startReply(created))
}

// answerError tells the requester why there will be no payment.
func (s *session) answerError(e *schema.Error) {
	if s.answered || e == nil {
		return
	}
	s.reply(string(e.Code), errorHeader(e), schema.ErrorReply{Error: *e})
}

// answerUnknown tells a requester who still waits at the start deadline that
// the outcome is not known yet.
func (s *session) answerUnknown() {
	s.deadline = nil
	s.answerError(schema.NewError(schema.OutcomeUnknown,
		"it is not known yet whether the order exists at the provider; the session is followed, its status events will tell"))
}

func (s *session) reply(code string, header map[string]string, body any) {
	s.answered = true
	s.Metrics.CommandAnswered(string(subjects.Start), code, s.since(s.msg.StartedAt))
	data, err := json.Marshal(body)
	if err == nil {
		err = s.Requesters.Reply(s.msg.Reply, header, data)
	}
	if err != nil {
		s.log.Warn("The requester could not be answered; the same request again gets the same session", zap.Error(err))
	}
}

func (s *session) startReply(created bool) schema.StartReply {
	return startReply(s.Space, s.terminal, s.order, s.state.SessionID, s.state.Status, created)
}

func startReply(space subjects.Space, terminal, order, sessionID, status string, created bool) schema.StartReply {
	subject, err := space.Of(terminal, order, subjects.Status)
	if err != nil {
		subject = "" // ids were checked before a session came to be
	}
	return schema.StartReply{
		OrderID: order, TerminalID: terminal, SessionID: sessionID,
		Status: shownStatus(status), StatusSubject: subject, Created: created,
	}
}

// errorHeader is the header of an error reply, as the NATS micro framework has it.
func errorHeader(e *schema.Error) map[string]string {
	return map[string]string{
		schema.HeaderErrorCode: strconv.Itoa(e.Code.Number()),
		schema.HeaderError:     e.Message,
	}
}
