package google

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

const (
	maxRefusal = 64 << 10 // as much of an error's body as is read, in bytes
	maxEvent   = 32 << 20 // the longest event, in bytes
)

// An exchange is what the SDK does not tell of a call: how the provider answered, the event under way as it was written,
// and why the stream ended. It belongs to the goroutine that makes the call.
type exchange struct {
	status int // HTTP; 0 before there is an answer
	header http.Header
	event  []byte // JSON
	err    error  // of reading; the SDK is told of a polite end, since it would write the error into the log
}

type exchangeKey struct{}

// exchanging prepares a context whose call is noted.
func exchanging(ctx context.Context) (context.Context, *exchange) {
	x := &exchange{}
	return context.WithValue(ctx, exchangeKey{}, x), x
}

// tapped is the same client, on the same connections, with its exchanges noted.
func tapped(c *http.Client) *http.Client {
	out := *c
	base := c.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	out.Transport = tap{base}
	return &out
}

type tap struct{ base http.RoundTripper }

func (t tap) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(req)
	x, ok := req.Context().Value(exchangeKey{}).(*exchange)
	if err != nil || !ok {
		return res, err
	}
	x.status, x.header = res.StatusCode, res.Header
	if res.StatusCode >= http.StatusMultipleChoices {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxRefusal), res.Body}
	} else if req.Method == http.MethodPost {
		res.Body = &events{x: x, body: res.Body, in: bufio.NewReader(res.Body)}
	}
	return res, nil
}

// events reads as a stream of server-sent events of which each is one line of data. A Read gives bytes of one event
// only, so that the SDK, which reads when it has none, holds the one that the exchange tells. What is no event is passed
// on as it is: it may be an error.
type events struct {
	x    *exchange
	body io.Closer
	in   *bufio.Reader
	rest []byte // of the event under way
}

func (e *events) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		event, err := e.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				e.x.err = err
			}
			return 0, io.EOF
		}
		e.rest = event
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *events) Close() error {
	_ = e.body.Close() // the SDK would write the error into the log
	return nil
}

// next reads one event. The last one needs no empty line after it if it is complete.
func (e *events) next() ([]byte, error) {
	var data, other []byte
	for {
		line, err := e.line(len(data) + len(other))
		if err != nil && (!errors.Is(err, io.EOF) || !json.Valid(data)) {
			return nil, err
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) == 0 && len(data) > 0:
			e.x.event = data
			return append(append([]byte("data: "), data...), "\n\n"...), nil
		case len(line) == 0 && len(other) > 0:
			return append(other, "\n\n"...), nil
		case string(field) == "data":
			data = append(data, bytes.TrimPrefix(value, []byte(" "))...)
		case len(line) > 0 && !isField(string(field)):
			other = append(append(other, line...), ' ')
		}
	}
}

// isField tells the other fields of an event, and comments, from what is no event.
func isField(name string) bool {
	return name == "" || name == "event" || name == "id" || name == "retry"
}

// line reads a line without its end; with the end of the stream comes an empty one.
func (e *events) line(before int) ([]byte, error) {
	var line []byte
	for {
		piece, err := e.in.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case before+len(line) > maxEvent:
			return nil, errors.New("an event is too large")
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
