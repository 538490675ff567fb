package control

import (
	"fmt"
	"net/http"
)

// sameOrigin keeps web pages of other origins from pressing buttons: a request
// that changes something and that a browser sends for another page is refused.
// Programs send neither Origin nor Sec-Fetch-Site and are not touched. Reading is
// left to the browser's own rules: no answer allows another origin to read it.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := protection.Check(r); err != nil {
			complain(w, http.StatusForbidden, fmt.Errorf("a page of another origin may not do this: %w", err))
			return
		}
		next.ServeHTTP(w, r)
	})
}
