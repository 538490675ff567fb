package telemetry

import (
	"slices"
	"strconv"

	"github.com/posbridge/bridge/schema"
)

// Values of labels. What is not listed is counted as labelOther.
const (
	labelOther = "other"

	statusUnresolved = schema.StatusUnresolved
	statusNotCreated = schema.StatusNotCreated
	sourceStream     = schema.SourceStream
	sourceReconcile  = schema.SourceReconcile
	sourceBridge     = schema.SourceBridge

	codeOK      = "ok"    // of a command
	codeError   = "error" // of a provider call without an answer
	resultOK    = "ok"
	resultError = "error"
)

// ReconcileResult is what asking the provider for an order brought.
type ReconcileResult string

// The results of a reconcile.
const (
	// ReconcileNews: a status that the stream had not shown.
	ReconcileNews ReconcileResult = "news"
	// ReconcileNoNews: what was known already, or older.
	ReconcileNoNews ReconcileResult = "no_news"
	// ReconcileFailed: no answer, or one of no use.
	ReconcileFailed ReconcileResult = "error"
)

// NotificationResult is what became of a notification.
type NotificationResult string

// The results of a notification.
const (
	// NotificationAsked: the order was asked for, and what changed is stored.
	NotificationAsked NotificationResult = "asked"
	// NotificationSkipped: it is about a payment that has not begun.
	NotificationSkipped NotificationResult = "pretransaction"
	// NotificationUnknown: the bridge does not know the order.
	NotificationUnknown NotificationResult = "unknown_order"
	// NotificationForged: no terminal group's key made its signature.
	NotificationForged NotificationResult = "wrong_signature"
	// NotificationUnsigned: it is not a POST, or it has no signature.
	NotificationUnsigned NotificationResult = "unsigned"
	// NotificationMalformed: it names no order, or two.
	NotificationMalformed NotificationResult = "malformed"
	// NotificationTooLarge: its body is too long.
	NotificationTooLarge NotificationResult = "too_large"
	// NotificationPutOff: it could not be dealt with now; the provider sends it again.
	NotificationPutOff NotificationResult = "unavailable"
)

var notifications = []NotificationResult{
	NotificationAsked, NotificationSkipped, NotificationUnknown, NotificationForged,
	NotificationUnsigned, NotificationMalformed, NotificationTooLarge, NotificationPutOff,
}

var (
	findings = []string{
		"unfollowed", "undelivered", "unqueued", "unreadable", "ended", "unwatched",
		"consumer_ahead", "statuses_lost", // by the replica itself, between the sweeps
	}
	results  = []string{string(ReconcileNews), string(ReconcileNoNews), string(ReconcileFailed)}
	statuses = []string{
		"initialized", "declined", "completed", "cancelled", "expired", "void",
		"reversed", "refunded", "partial_refunded", "chargeback", "chargedback", "reserved", "uncleared", "shipped",
		statusUnresolved, statusNotCreated,
	}
	finals   = []string{"completed", "cancelled", "expired", "void", statusUnresolved, statusNotCreated}
	sources  = []string{sourceStream, sourceReconcile, sourceBridge}
	commands = []string{"start", "cancel", "get", "list", "receipt"}
	// eventTypes are those that the provider package names.
	eventTypes = []string{"session.qr", "order.updated", "message", "ping", "heartbeat", "keepalive", "error", labelOther}
	operations = []string{"create", "get", "cancel", "terminals", "stream", "receipt"}
	// reasons are those of the provider package's Reason.
	reasons = []string{
		"ended", "idle", "refused", "host", "too_large", "status", "redirect", "content_type", "transport", "cancelled",
	}
)

// codes are what a command can be answered with.
var codes = func() []string {
	all := []string{codeOK}
	for _, code := range schema.Codes() {
		all = append(all, string(code))
	}
	return all
}()

// known returns value if it is one of set, else labelOther.
func known(set []string, value string) string {
	if slices.Contains(set, value) {
		return value
	}
	return labelOther
}

// httpCode returns code if it is an HTTP status, else codeError.
func httpCode(code string) string {
	if n, err := strconv.Atoi(code); err == nil && len(code) == 3 && n >= 100 && n <= 599 {
		return code
	}
	return codeError
}
