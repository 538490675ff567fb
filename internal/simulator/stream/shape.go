package stream

// eventShape is another way to tell a status change.
type eventShape struct {
	before string // comes first
	name   string // of the event; empty for none
	data   func(data, session string) string
}

// eventShapes by the mode of odd_event.
var eventShapes = map[string]eventShape{
	"order_updated": {"", "order.updated", plain},
	"message":       {"", "message", plain},
	"unnamed":       {"", "", plain},
	"ping":          {"data: ping\n\n", orderEvent, plain},
	"envelope": {"", orderEvent, func(data, _ string) string {
		return `{"type":"` + orderEvent + `","data":` + data + `}`
	}},
	"channel": {"", "message", func(data, session string) string {
		return `{"type":"` + orderEvent + `","channel":"` + session + `","payload":` + data + `}`
	}},
	"array": {"", orderEvent, func(data, _ string) string { return "[" + data + "]" }},
}

func plain(data, _ string) string { return data }
