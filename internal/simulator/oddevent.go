package simulator

import (
	"maps"
	"slices"
)

// eventShapes are other ways to tell a status change, by the mode of odd_event:
// what comes first, the event's name and its data.
var eventShapes = map[string]func(data, session string) (before, name, text string){
	"order_updated": func(data, _ string) (string, string, string) { return "", "order.updated", data },
	"message":       func(data, _ string) (string, string, string) { return "", "message", data },
	"unnamed":       func(data, _ string) (string, string, string) { return "", "", data },
	"ping":          func(data, _ string) (string, string, string) { return "data: ping\n\n", orderEvent, data },
	"envelope": func(data, _ string) (string, string, string) {
		return "", orderEvent, `{"type":"` + orderEvent + `","data":` + data + `}`
	},
	"channel": func(data, session string) (string, string, string) {
		return "", "message", `{"type":"` + orderEvent + `","channel":"` + session + `","payload":` + data + `}`
	},
	"array": func(data, _ string) (string, string, string) { return "", orderEvent, "[" + data + "]" },
}

func eventModes() []string { return slices.Sorted(maps.Keys(eventShapes)) }
