// Package page is the virtual terminal: files that a browser takes as they are.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// filesPath is where the files of the page are.
const filesPath = "/page/"

//go:embed *.html *.css *.js *.svg
var files embed.FS

// policy lets the page use its own files and this server, and nothing else.
// Text reaches the page as text only: no script can turn it into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes by file name extension; the machine's own table is not asked.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Register serves the page at / and its files under /page/. Who asks for / without
// wanting HTML gets what other answers.
func Register(mux *http.ServeMux, other http.HandlerFunc) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil { // embedded
		panic(err)
	}
	for _, entry := range entries {
		content, err := files.ReadFile(entry.Name())
		if err != nil { // embedded
			panic(err)
		}
		serve := serveFile(entry.Name(), content)
		if entry.Name() == "index.html" {
			mux.HandleFunc("GET /{$}", index(serve, other))
			continue
		}
		mux.HandleFunc("GET "+filesPath+entry.Name(), serve)
	}
}

// serveFile answers with an embedded file, or with 304 to who has it.
func serveFile(name string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache") // asked for every time, mostly answered with 304
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	}
}

// index answers a browser with the page.
func index(page, other http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			page(w, r)
			return
		}
		other(w, r)
	}
}
