package natsserver

import (
	"fmt"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger passes nats-server's lines on, and keeps the one with which the server
// gave up: the server reports a failed start nowhere else.
type logger struct {
	to *zap.Logger // nil: lines are dropped

	mu    sync.Mutex
	cause error // the first fatal line
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

func (l *logger) debug() bool { return l.to != nil && l.to.Core().Enabled(zapcore.DebugLevel) }

func (l *logger) log(level zapcore.Level, format string, v []any) {
	if l.to == nil {
		return
	}
	if entry := l.to.Check(level, fmt.Sprintf(format, v...)); entry != nil {
		entry.Write()
	}
}

// Fatalf keeps the line. It does not end the process: Start returns an error.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	if l.cause == nil {
		l.cause = fmt.Errorf(format, v...)
	}
	l.mu.Unlock()
	l.log(zapcore.ErrorLevel, format, v)
}

func (l *logger) Errorf(format string, v ...any)  { l.log(zapcore.ErrorLevel, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.log(zapcore.WarnLevel, format, v) }
func (l *logger) Noticef(format string, v ...any) { l.log(zapcore.InfoLevel, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.log(zapcore.DebugLevel, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.log(zapcore.DebugLevel, format, v) }
