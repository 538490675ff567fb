package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// filePath is where everything but the page itself is.
const filePath = "/console/"

// embedded is the page: files that a browser takes as they are.
//
//go:embed page
var embedded embed.FS

// policy lets the page use its own files and this server, and nothing else.
// Text reaches the page as text only: no script can turn it into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes by file name extension; the machine's own table is not asked.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// pages returns the embedded files by name.
func pages() map[string][]byte {
	entries, err := fs.ReadDir(embedded, "page")
	if err != nil { // it is in the binary
		panic(err)
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		content, err := embedded.ReadFile("page/" + entry.Name())
		if err != nil { // it is in the binary
			panic(err)
		}
		files[entry.Name()] = content
	}
	return files
}

// file answers with an embedded file, or with 304 to whoever has it.
func file(name string, content []byte) http.Handler {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	kind := contentTypes[path.Ext(name)]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache") // asked for every time, mostly answered with 304
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}
