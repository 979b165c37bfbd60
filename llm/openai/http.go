package openai

import (
	"io"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3/option"
)

// maxRefusal is as much of an error's body as is read, in bytes.
const maxRefusal = 64 << 10

// limitRefusals keeps the SDK, which reads an error's body to its end, from reading for ever.
func limitRefusals(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err == nil && (res.StatusCode >= http.StatusBadRequest || req.Method == http.MethodPost && isJSON(res)) {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxRefusal), res.Body}
	}
	return res, err
}

func isJSON(res *http.Response) bool {
	return strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
}
