package reliability

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An upstream is an OpenAI-compatible provider whose every word a test chooses.
type upstream struct {
	url   string
	calls chan *call
}

// A call is one request under way.
type call struct {
	model  string
	prompt string
	words  chan string
	fail   chan struct{} // closed: the answer breaks off
	finish chan struct{} // closed: the answer is complete
	gone   chan struct{} // closed when the caller has hung up, or the call is over
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{calls: make(chan *call, 16)}
	server := httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	u.url = server.URL + "/v1"
	return u
}

// next waits for a request.
func (u *upstream) next(t testing.TB) *call {
	t.Helper()
	select {
	case c := <-u.calls:
		return c
	case <-time.After(patience):
		t.Fatal("no request came")
		return nil
	}
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var asked struct{ Model string }
	_ = json.Unmarshal(body, &asked)
	c := &call{
		model: asked.Model, prompt: string(body), words: make(chan string), fail: make(chan struct{}),
		finish: make(chan struct{}), gone: make(chan struct{}),
	}
	defer close(c.gone)
	u.calls <- c
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		select {
		case word := <-c.words:
			chunk(w, map[string]any{"content": word}, nil)
		case <-c.finish:
			chunk(w, map[string]any{}, "stop")
			fmt.Fprint(w, "data: [DONE]\n\n")
			return
		case <-c.fail:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

func chunk(w http.ResponseWriter, delta map[string]any, finish any) {
	data, err := json.Marshal(map[string]any{
		"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
		"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, "data: %s\n\n", data)
	_ = http.NewResponseController(w).Flush()
}

// hungUp waits until the provider sees that nobody listens any more.
func (c *call) hungUp(t testing.TB) {
	t.Helper()
	select {
	case <-c.gone:
	case <-time.After(patience):
		t.Fatal("the provider still speaks to somebody")
	}
}
