package schema_test

import (
	"encoding/json"
	"fmt"

	"github.com/posbridge/bridge/schema"
)

// What a requester makes of the answer to a start: header and body are those of
// the reply message.
func Example() {
	header := map[string]string{schema.HeaderErrorCode: "409"}
	body := []byte(`{"error":{"code":"terminal_busy","message":"terminal T1 is busy with order A","retryable":true}}`)

	if header[schema.HeaderErrorCode] != "" {
		var failed schema.ErrorReply
		if err := json.Unmarshal(body, &failed); err != nil {
			fmt.Println("not an answer of the bridge's:", err)
			return
		}
		fmt.Println(failed.Error.Code, "- send it again:", failed.Error.Retryable)
		return
	}
	var started schema.StartReply
	if err := json.Unmarshal(body, &started); err != nil {
		fmt.Println("not an answer of the bridge's:", err)
		return
	}
	fmt.Println("follow", started.StatusSubject)
	// Output: terminal_busy - send it again: true
}

// What a subscriber makes of a status event.
func ExampleStatusEvent() {
	var e schema.StatusEvent
	body := []byte(`{"order_id":"A","terminal_id":"T1","session_id":"s","transaction_id":"7","status":"completed","financial_status":"completed","previous_status":"initialized","final":true,"sequence":2,"source":"stream","amount":1250,"currency":"EUR","observed_at":"2026-11-23T18:15:27.67Z"}`)
	if err := json.Unmarshal(body, &e); err != nil {
		fmt.Println("not an event of the bridge's:", err)
		return
	}
	switch {
	case e.Status == "completed":
		fmt.Println("paid:", e.OrderID)
	case e.Status == schema.StatusUnresolved:
		fmt.Println("look it up at the provider:", e.OrderID)
	case e.Final:
		fmt.Println("not paid:", e.OrderID)
	}
	// Output: paid: A
}
