// fakellm is a tiny OpenAI-style streaming upstream: POST any path, get -chunks SSE events, one every -every.
// Every chunk carries the time it was written; the first one also carries the prompt's marker time back. An answer ends
// with its usage, as a client wants it that asks for stream_options.include_usage.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9100", "where to listen, loopback only")
	a := &answer{}
	flag.IntVar(&a.chunks, "chunks", 100, "chunks per answer")
	flag.DurationVar(&a.every, "every", 20*time.Millisecond, "time between chunks")
	flag.DurationVar(&a.first, "ttft", 0, "time to the first chunk")
	flag.Parse()
	if !strings.HasPrefix(*addr, "127.") {
		log.Fatal("loopback only")
	}
	server := &http.Server{Addr: *addr, Handler: a, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// An answer is what every prompt gets.
type answer struct {
	chunks       int
	every, first time.Duration
}

func (a *answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	prompt, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	time.Sleep(a.first)
	echo := mark(prompt)
	next := time.Now()
	for i := range a.chunks {
		time.Sleep(time.Until(next))
		next = next.Add(a.every)
		fmt.Fprintf(w, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"fake","choices":`+
			`[{"index":0,"delta":{"content":"~T%016x%08x%04x%s tok"},"finish_reason":null}]}`+"\n\n", uint64(time.Now().UnixNano()), i, 0, echo)
		w.(http.Flusher).Flush()
		echo = ""
	}
	fmt.Fprintf(w, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"fake","choices":[],`+
		`"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n", len(prompt)/4, a.chunks, len(prompt)/4+a.chunks)
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// mark is the send time of the newest message in a prompt, as the first chunk brings it back.
func mark(prompt []byte) string {
	i := bytes.LastIndex(prompt, []byte("~T"))
	if i < 0 || len(prompt) < i+18 {
		return ""
	}
	return "~M" + string(prompt[i+2:i+18])
}
