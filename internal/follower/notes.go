package follower

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
)

// reporter tells people what happens to payments: logs, metrics, the console.
type reporter struct {
	Metrics  *telemetry.Metrics
	Log      *zap.Logger
	observer Observer
}

// failed logs what went wrong for one payment.
func (r *reporter) failed(line string, ref Ref, err error) {
	r.Log.Warn(line, zap.String(telemetry.KeyTerminal, ref.Terminal), zap.String(telemetry.KeyOrder, ref.Order), zap.Error(err))
}

// note tells people what has happened to a payment.
func (r *reporter) note(ref Ref, n payment.Note, at time.Time) {
	r.observer.Noted(ref.Terminal, ref.Order, n, at)
	switch n.Kind {
	case payment.NoteStatus:
		r.published(ref, n.Event, at)
		return
	case payment.NoteAnswer:
		r.Metrics.Reconciled(telemetry.ReconcileNoNews)
	case payment.NoteNews:
		r.Metrics.Reconciled(telemetry.ReconcileNews)
	case payment.NoteCreated:
		r.Metrics.SessionStarted()
	case payment.NoteTookOver:
		r.Metrics.SessionTakenOver()
	}
	say := noteLines[n.Kind]
	if line := r.Log.Check(say.level, say.line); line != nil {
		line.Write(zap.String(telemetry.KeyTerminal, ref.Terminal), zap.String(telemetry.KeyOrder, ref.Order), zap.String(telemetry.KeyReason, n.Text))
	}
}

// noteLines are the lines of the log.
var noteLines = map[payment.NoteKind]struct {
	level zapcore.Level
	line  string
}{
	payment.NoteTaken:     {zapcore.DebugLevel, "Received a session from the queue"},
	payment.NoteTookOver:  {zapcore.InfoLevel, "Took a payment over"},
	payment.NoteTakenOn:   {zapcore.InfoLevel, "Took over a payment that another replica handed over"},
	payment.NoteCreated:   {zapcore.InfoLevel, "Created an order"},
	payment.NoteFailed:    {zapcore.WarnLevel, "Could not create an order"},
	payment.NoteInvalid:   {zapcore.DebugLevel, "Received an event that could not be understood"},
	payment.NoteStream:    {zapcore.DebugLevel, "The event stream changed"},
	payment.NoteAnswer:    {zapcore.DebugLevel, "The provider reported no new status"},
	payment.NoteNews:      {zapcore.DebugLevel, "The provider reported a new status"},
	payment.NoteTrouble:   {zapcore.InfoLevel, "A payment has a problem"},
	payment.NoteRefused:   {zapcore.WarnLevel, "Refused a start"},
	payment.NoteUnlocked:  {zapcore.InfoLevel, "Removed a session from the queue"},
	payment.NoteWithdrawn: {zapcore.WarnLevel, "Cancelling an order that no till waits for"},
}

// published counts and logs a status that is stored.
func (r *reporter) published(ref Ref, e *schema.StatusEvent, at time.Time) {
	r.Metrics.StatusPublished(e.Status, e.Source)
	if e.Source == schema.SourceStream {
		r.Metrics.Delivered(at.Sub(e.ObservedAt))
	}
	if schema.IsFinal(e.Status) && !schema.IsFinal(e.PreviousStatus) { // what comes later ends nothing
		r.Metrics.SessionEnded(e.Status)
	}
	r.Log.Info("Published a status", zap.String(telemetry.KeyTerminal, ref.Terminal), zap.String(telemetry.KeyOrder, ref.Order),
		zap.String(telemetry.KeyStatus, e.Status), zap.String(telemetry.KeyPrevious, e.PreviousStatus),
		zap.Uint64(telemetry.KeySequence, e.Sequence), zap.String(telemetry.KeySource, e.Source), zap.Bool(telemetry.KeyFinal, e.Final))
}

// panicked tells that a payment has made the program panic, and for which time.
func (r *reporter) panicked(ref Ref, cause any, stack []byte, count int) {
	r.Metrics.SessionPanicked()
	r.Log.Error("A session failed in the bridge's own code; another replica continues it, or gives it up after repeated failures",
		zap.Any(telemetry.KeyReason, cause), zap.Int(telemetry.KeyCount, count),
		zap.String(telemetry.KeyTerminal, ref.Terminal), zap.String(telemetry.KeyOrder, ref.Order), zap.ByteString(telemetry.KeyStack, stack))
}

// left tells why a payment is left.
func (r *reporter) left(ref Ref, why payment.LeaveReason) {
	switch why {
	case payment.LeaveOutranked:
		r.Metrics.FenceLost()
	case payment.LeaveHandedOver:
		r.Metrics.SessionHandedOver()
	}
	r.Log.Debug("Left a payment", zap.String(telemetry.KeyTerminal, ref.Terminal), zap.String(telemetry.KeyOrder, ref.Order), zap.String(telemetry.KeyReason, string(why)))
}
