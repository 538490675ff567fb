package simulator

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

// pagePath is where the files of the virtual terminal are.
const pagePath = "/page/"

// pageFiles is the virtual terminal: files that a browser takes as they are.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page use its own files and this server, and nothing else.
// Text reaches the page as text only: no script can turn it into markup.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes by file name extension; the machine's own table is not asked.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// servePage registers the virtual terminal: the page at / and its files under
// pagePath.
func servePage(mux *http.ServeMux) {
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil { // embedded
		panic(err)
	}
	for _, entry := range entries {
		content, err := pageFiles.ReadFile("page/" + entry.Name())
		if err != nil { // embedded
			panic(err)
		}
		serve := serveFile(entry.Name(), content)
		if entry.Name() == "index.html" {
			mux.HandleFunc("GET /{$}", serveIndex(serve))
			continue
		}
		mux.HandleFunc("GET "+pagePath+entry.Name(), serve)
	}
}

// serveFile answers with an embedded file, or with 304 to who has it.
func serveFile(name string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache") // asked for every time, mostly answered with 304
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	}
}

// serveIndex says where things are: to a browser with the page, to others as JSON.
func serveIndex(page http.HandlerFunc) http.HandlerFunc {
	links := []string{
		controlPath + "state", controlPath + "terminals", controlPath + "orders", controlPath + "faults",
		controlPath + "scenarios", controlPath + "fault-kinds", controlPath + "log", controlPath + "events",
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			page(w, r)
			return
		}
		reply(w, http.StatusOK, map[string]any{"api": strings.TrimSuffix(apiPath, "/"), "events": eventsPath, "links": links})
	}
}
