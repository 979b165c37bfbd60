package openai_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/openai"
	"parley/llm/upstream"
)

// event is a chunk as OpenAI sends it.
const event = `data: {"id":"chatcmpl-ABCDEFGHIJKLMNOPQRSTUVWXYZabc","object":"chat.completion.chunk","created":1763000000,` +
	`"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,` +
	`"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Xy12Zw"}` + "\n\n"

// A reader reads a stream and calls each for every word.
type reader func(b *testing.B, base string, client *http.Client, each func())

var readers = map[string]reader{
	"driver": func(b *testing.B, base string, client *http.Client, each func()) {
		m := open(b, openai.Config{BaseURL: base, HTTP: client})
		for d, err := range m.Stream(b.Context(), llmtest.Ask("hello")) {
			if err != nil {
				b.Fatal(err)
			}
			if d.Text != "" {
				each()
			}
		}
	},
	"sdk": func(b *testing.B, base string, client *http.Client, each func()) {
		c := sdk.NewClient(option.WithBaseURL(base), option.WithHTTPClient(client), option.WithAPIKey("none"))
		stream := c.Chat.Completions.NewStreaming(b.Context(), sdk.ChatCompletionNewParams{Model: "m", Messages: []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage("hello")}})
		defer func() { _ = stream.Close() }()
		for stream.Next() {
			if choices := stream.Current().Choices; len(choices) > 0 && choices[0].Delta.Content != "" {
				each()
			}
		}
		if stream.Err() != nil {
			b.Fatal(stream.Err())
		}
	},
	"bare": func(b *testing.B, base string, client *http.Client, each func()) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, base+"/chat/completions", strings.NewReader("{}"))
		if err != nil {
			b.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if bytes.Contains(lines.Bytes(), []byte(`" word"`)) {
				each()
			}
		}
	},
}

// BenchmarkChunk is the work per chunk, without a network.
func BenchmarkChunk(b *testing.B) {
	for name, read := range readers {
		b.Run(name, func(b *testing.B) {
			body := io.MultiReader(&repeated{left: b.N}, strings.NewReader("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"))
			client := &http.Client{Transport: canned{body}}
			b.ReportAllocs()
			n := 0
			read(b, "http://test.invalid/v1", client, func() { n++ })
			if n != b.N {
				b.Fatalf("%d words, want %d", n, b.N)
			}
		})
	}
}

// repeated reads as the same event, left times over.
type repeated struct {
	left int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = event
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

type canned struct{ body io.Reader }

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"text/event-stream"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(c.body), Request: req}, nil
}

// BenchmarkLatency is the time from an upstream's write of a chunk to its word in the caller's hands, over loopback HTTP,
// with one chunk under way at a time. What the driver adds is the difference to bare.
func BenchmarkLatency(b *testing.B) {
	for name, read := range readers {
		b.Run(name, func(b *testing.B) {
			next, sent := make(chan struct{}, 1), make(chan time.Time, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for range b.N {
					if !wait(r.Context(), next) {
						return
					}
					sent <- time.Now()
					_, _ = io.WriteString(w, event)
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
			}))
			defer server.Close()
			client := upstream.NewHTTPClient()
			defer client.CloseIdleConnections()
			took := make([]time.Duration, 0, b.N)
			next <- struct{}{}
			read(b, server.URL+"/v1", client, func() {
				now := time.Now()
				took = append(took, now.Sub(<-sent))
				if len(took) < b.N {
					next <- struct{}{}
				}
			})
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-µs")
		})
	}
}

func wait(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// BenchmarkRequest is the work per call before its first byte is sent: a room of 40 messages and four tools.
func BenchmarkRequest(b *testing.B) {
	req := llmtest.Ask("hello")
	for range 20 {
		req.Messages = append(req.Messages,
			llm.Message{Role: llm.Assistant, Text: strings.Repeat("A word or two of an answer. ", 12)},
			llm.Message{Role: llm.User, Text: "[Maja]: " + strings.Repeat("and a question? ", 8)})
	}
	for _, name := range []string{"mention", "opt_out", "vote_on_poll", "finish"} {
		req.Tools = append(req.Tools, llm.Tool{Name: name, Description: "what it does", Schema: llm.SchemaOf[struct {
			Name   string   `json:"name" desc:"of somebody"`
			Reason string   `json:"reason" desc:"in one sentence"`
			Among  []string `json:"among"`
		}]()})
	}
	const end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	client := &http.Client{Transport: refilled(end)}
	m := open(b, openai.Config{BaseURL: "http://test.invalid/v1", HTTP: client})
	b.ReportAllocs()
	for b.Loop() {
		if got := llmtest.Gather(m.Stream(b.Context(), req)); got.Err != nil {
			b.Fatal(got.Err)
		}
	}
}

// refilled answers every request with the same words, after it has read all of it.
type refilled string

func (r refilled) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	return canned{strings.NewReader(string(r))}.RoundTrip(req)
}
