package console

import (
	"encoding/json"
	"net/http"
)

// problem is the body of an answer that is no success.
type problem struct {
	Problem string `json:"problem"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the asker has gone
}
