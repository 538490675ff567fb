package bridge_test

import (
	"fmt"
	"net/http"
	"testing"
)

// A provider may have much to say as soon as the stream is open, while GET
// already shows how it ended.
func TestStreamSpeaksBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	p := &provider{status: "completed"}
	p.stream = func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Authorization")[len("token-of-"):]
		openStream(w)
		for _, status := range []string{"initialized", "declined", "initialized", "completed"} {
			send(w, event(id, status))
		}
		<-r.Context().Done()
	}
	b := setup(t, options{provider: p})
	b.run()
	for i := range 5 {
		id := fmt.Sprintf("o-%d", i)
		b.start(order(id, terminal1))
		b.await(id, "initialized", "declined", "initialized", "completed")
	}
}
