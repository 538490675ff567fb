// Package telemetry is what the bridge tells about itself: the logger, the keys
// of its lines, and the metrics. Traces are in the package below.
package telemetry

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Formats of the log.
const (
	// FormatJSON writes one JSON object per line, for machines.
	FormatJSON = "json"
	// FormatConsole writes columns, for people.
	FormatConsole = "console"
)

// Keys of the fields of log lines, one word per thing. Durations are in seconds.
const (
	KeyTerminal    = "terminal"
	KeyOrder       = "order_id"
	KeySession     = "session_id"
	KeyTransaction = "transaction_id"
	KeyStatus      = "status"
	KeyPrevious    = "previous_status"
	KeySequence    = "sequence"
	KeySource      = "source"
	KeyFinal       = "final"
	KeyReplica     = "replica"
	KeyOwner       = "owner" // the replica that has the session now
	KeyGroup       = "group" // id of a terminal group
	KeyCommand     = "command"
	KeyCode        = "code" // of an error reply
	KeyOperation   = "operation"
	KeyReason      = "reason"
	KeyAttempt     = "attempt"
	KeyRepeats     = "repeats" // the same line since it was last written
	KeyWait        = "wait"    // until the next attempt
	KeyElapsed     = "elapsed"
	KeySubject     = "subject"
	KeyStream      = "stream" // a JetStream stream
	KeyServer      = "server" // a NATS server's address
	KeyAddress     = "address"
	KeyCount       = "count"
	KeyVersion     = "version"
	KeyCommit      = "commit"
	KeyStack       = "stack" // of a goroutine that panicked
	KeyError       = "error" // as zap.Error writes it
)

// timeLayout is ISO 8601 in UTC with milliseconds: one width, sortable as text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// NewLogger returns a logger that writes to w. level is debug, info, warn or
// error; format is FormatJSON or FormatConsole. Lines are never sampled, and
// carry neither callers nor stack traces. Writes to w are serialised.
func NewLogger(level, format string, w io.Writer) (*zap.Logger, error) {
	var l zapcore.Level
	switch level {
	case "debug":
		l = zapcore.DebugLevel
	case "info":
		l = zapcore.InfoLevel
	case "warn":
		l = zapcore.WarnLevel
	case "error":
		l = zapcore.ErrorLevel
	default:
		return nil, fmt.Errorf("log level is %q, must be debug, info, warn or error", level)
	}
	config := zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		NameKey:        "logger",
		MessageKey:     "msg",
		LineEnding:     zapcore.DefaultLineEnding,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeTime:     func(t time.Time, e zapcore.PrimitiveArrayEncoder) { e.AppendString(t.UTC().Format(timeLayout)) },
		EncodeDuration: zapcore.SecondsDurationEncoder,
	}
	var encoder zapcore.Encoder
	switch format {
	case FormatJSON:
		encoder = zapcore.NewJSONEncoder(config)
	case FormatConsole:
		config.EncodeLevel = zapcore.CapitalLevelEncoder
		config.EncodeDuration = zapcore.StringDurationEncoder
		encoder = zapcore.NewConsoleEncoder(config)
	default:
		return nil, fmt.Errorf("log format is %q, must be %s or %s", format, FormatJSON, FormatConsole)
	}
	// Errors of writing a line go nowhere: there is nobody else to tell.
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), l),
		zap.ErrorOutput(zapcore.AddSync(io.Discard))), nil
}
