package processtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Skip has the consumer of the queue skip what is there, and n sessions that come.
// nats-server has done so by itself after failures of many kinds.
func (s *Scene) Skip(ctx context.Context, n uint64) error {
	js, err := jetstream.New(s.Conn)
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, sessionStream)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]uint64{"seq": stream.CachedInfo().State.LastSeq + 1 + n})
	if err != nil {
		return err
	}
	answer, err := s.Conn.RequestWithContext(ctx, "$JS.API.CONSUMER.RESET."+sessionStream+".bridge", body)
	if err != nil {
		return err
	}
	var said struct{ Error *jetstream.APIError }
	if err := json.Unmarshal(answer.Data, &said); err != nil || said.Error != nil {
		return fmt.Errorf("reset: %s, %w", answer.Data, err)
	}
	return nil
}

// SessionsSkipped has the consumer skip some sessions.
var SessionsSkipped = Fault{"sessions skipped", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := f.Skip(limited, dice.Uint64N(30)); err != nil {
		f.tb.Logf("no session was skipped: %v", err)
	}
	Pass(ctx, dice, 0, 10*time.Second)
}}

// SessionReturned puts a session back into the queue whose payment is over, as if its
// acknowledgement had been lost, unless its terminal has another one by then.
var SessionReturned = Fault{"session returned", func(ctx context.Context, f *Fleet, dice *rand.Rand) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := f.returnSession(limited, f.Terminals[dice.IntN(len(f.Terminals))]); err != nil {
		f.tb.Logf("no session was returned: %v", err)
	}
}}

func (s *Scene) returnSession(ctx context.Context, terminal string) error {
	js, err := jetstream.New(s.Conn)
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, sessionStream)
	if err != nil {
		return err
	}
	subject := "pos." + terminal + ".session"
	var old *jetstream.RawStreamMsg
	look := time.NewTicker(2 * time.Millisecond) // the till starts its next payment soon
	defer look.Stop()
	for ; ctx.Err() == nil; <-look.C {
		now, err := stream.GetLastMsgForSubject(ctx, subject)
		switch {
		case old == nil && err == nil:
			old = now
		case old != nil && errors.Is(err, jetstream.ErrMsgNotFound):
			m := nats.NewMsg(subject)
			m.Data = old.Data
			_, err := js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(0))
			if err == nil {
				return nil
			}
			old = nil // the till was faster
		case old != nil && err == nil && now.Sequence != old.Sequence:
			old = now
		}
	}
	return ctx.Err()
}
