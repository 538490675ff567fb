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
	answer, err := s.Conn.RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"CONSUMER.RESET."+sessionStream+".bridge", body)
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

// returnSession waits for the end of the payment that has the terminal, and is faster
// with the old session than the till with its next one.
func (s *Scene) returnSession(ctx context.Context, terminal string) error {
	js, err := jetstream.New(s.Conn)
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, sessionStream)
	if err != nil {
		return err
	}
	heard, err := s.Conn.SubscribeSync("pos." + terminal + ".*.status")
	if err != nil {
		return err
	}
	defer heard.Unsubscribe() //nolint:errcheck // the connection may be closed
	subject := "pos." + terminal + ".session"
	for {
		m, err := heard.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		var e event
		if json.Unmarshal(m.Data, &e) != nil || e.Final == nil || *e.Final {
			continue
		}
		old, err := stream.GetLastMsgForSubject(ctx, subject)
		if err != nil {
			continue
		}
		if err := awaitFinal(ctx, heard); err != nil {
			return err
		}
		for err = errBefore; err != nil && ctx.Err() == nil; {
			_, err = js.Publish(ctx, subject, old.Data, jetstream.WithExpectLastSequencePerSubject(0))
			if now, gone := stream.GetLastMsgForSubject(ctx, subject); gone == nil && now.Sequence != old.Sequence {
				break // it is back, or the till was faster
			}
		}
		if err == nil {
			return nil
		}
	}
}

var errBefore = errors.New("not tried yet")

// awaitFinal waits for the end of a payment.
func awaitFinal(ctx context.Context, heard *nats.Subscription) error {
	for {
		m, err := heard.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		var e event
		if json.Unmarshal(m.Data, &e) == nil && e.Final != nil && *e.Final {
			return nil
		}
	}
}
