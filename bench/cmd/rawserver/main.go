// rawserver is the physical-limit reference: it does nothing but hand a ready frame to every subscriber of
// a room. No storage, no auth, no back-pressure policy, no per-message allocation beyond the frame.
//
//	-mode tcp            length-prefixed frames over TCP
//	-mode ws-gobwas      gobwas/ws upgrade, one pre-built frame written as raw bytes to every connection
//	-mode ws-coder       coder/websocket, Conn.Write per subscriber
//	-mode grpc-prepared  grpc-go bidi stream, grpc.PreparedMsg encoded once per message
//	-mode grpc-raw       grpc-go bidi stream, codec returning one shared mem.Buffer
//
//	-fanout inline       the publisher's goroutine writes to every subscriber in turn
//	-fanout queue        one queue and writer goroutine per subscriber, writev of whatever is queued
//	-fanout try          the publisher's goroutine writes without blocking; a full socket falls back to the queue
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"parley/bench/internal/meter"
)

var (
	mode     = flag.String("mode", "ws-gobwas", "")
	fanout   = flag.String("fanout", "inline", "")
	addr     = flag.String("addr", "127.0.0.1:9000", "")
	relay    = flag.Bool("relay", false, "do not send a message back to its publisher (audio)")
	upstream = flag.String("upstream", "", "llm: every published message starts a stream from this URL, fanned out to the room")
	smallBuf = flag.Bool("grpc-tuned", false, "grpc: small read buffers, shared write buffers")
)

// sub is one subscriber's outgoing side.
type sub struct {
	send func(b []byte) error // one ready frame (or one message, for coder and grpc)
	// queue mode
	mu    sync.Mutex
	q     [][]byte
	wake  chan struct{}
	raw   syscall.RawConn // try mode
	busy  bool            // try mode: the writer goroutine owns the socket
	gsend *gsub           // grpc
}

type room struct {
	mu   sync.Mutex
	subs []*sub
}

var (
	roomsMu sync.RWMutex
	rooms   = map[string]*room{}
)

func getRoom(name string) *room {
	roomsMu.RLock()
	r := rooms[name]
	roomsMu.RUnlock()
	if r != nil {
		return r
	}
	roomsMu.Lock()
	defer roomsMu.Unlock()
	if r = rooms[name]; r == nil {
		r = &room{}
		rooms[name] = r
	}
	return r
}

func (r *room) join(s *sub) {
	r.mu.Lock()
	r.subs = append(r.subs, s)
	r.mu.Unlock()
}

func (r *room) leave(s *sub) {
	r.mu.Lock()
	for i, x := range r.subs {
		if x == s {
			r.subs[i] = r.subs[len(r.subs)-1]
			r.subs = r.subs[:len(r.subs)-1]
			break
		}
	}
	r.mu.Unlock()
}

// publish hands one ready frame to every subscriber, in room order.
func (r *room) publish(from *sub, b []byte) {
	r.mu.Lock()
	for _, s := range r.subs {
		if *relay && s == from {
			continue
		}
		switch *fanout {
		case "inline":
			s.send(b)
		case "try":
			s.try(b)
		default:
			s.enqueue(b)
		}
	}
	r.mu.Unlock()
}

func (s *sub) enqueue(b []byte) {
	s.mu.Lock()
	s.q = append(s.q, b)
	first := len(s.q) == 1
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// try writes straight to the socket while it accepts everything, and queues the rest.
func (s *sub) try(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.q = append(s.q, b)
		return
	}
	n := 0
	s.raw.Write(func(fd uintptr) bool {
		m, err := syscall.Write(int(fd), b)
		if err == nil {
			n = m
		} else if err != syscall.EAGAIN && err != syscall.EINTR {
			n = len(b) // dead: the reader will notice
		}
		return true
	})
	if n < len(b) {
		s.busy = true
		s.q = append(s.q, b[n:])
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// writer drains the queue with one writev per wake-up.
func (s *sub) writer(ctx context.Context, conn net.Conn) {
	var spare [][]byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for {
			s.mu.Lock()
			q := s.q
			s.q = spare[:0]
			if len(q) == 0 {
				s.busy = false
				s.mu.Unlock()
				spare = q
				break
			}
			s.mu.Unlock()
			if conn != nil {
				nb := net.Buffers(q)
				if _, err := nb.WriteTo(conn); err != nil {
					return
				}
			} else {
				for _, b := range q {
					if s.send(b) != nil {
						return
					}
				}
			}
			clear(q)
			spare = q[:0]
		}
	}
}

func newSub(ctx context.Context, conn net.Conn, send func([]byte) error) *sub {
	s := &sub{send: send}
	switch *fanout {
	case "queue":
		s.wake = make(chan struct{}, 1)
		go s.writer(ctx, conn)
	case "try":
		s.wake = make(chan struct{}, 1)
		s.raw, _ = conn.(*net.TCPConn).SyscallConn()
		go s.writer(ctx, conn)
	}
	return s
}

// ---- tcp

func serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			defer c.Close()
			rd := bufio.NewReaderSize(c, 1024)
			line, err := rd.ReadString('\n')
			if err != nil {
				return
			}
			r := getRoom(strings.TrimSpace(line[2:]))
			s := newSub(ctx, c, func(b []byte) error { _, err := c.Write(b); return err })
			c.Write([]byte("OK\n"))
			r.join(s)
			defer r.leave(s)
			var h [4]byte
			for {
				if _, err := io.ReadFull(rd, h[:]); err != nil {
					return
				}
				n := binary.BigEndian.Uint32(h[:])
				if n > 1<<20 {
					return
				}
				f := make([]byte, 4+n)
				copy(f, h[:])
				if _, err := io.ReadFull(rd, f[4:]); err != nil {
					return
				}
				r.publish(s, f)
			}
		}()
	}
}

// ---- gobwas

func serveGobwas(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go gobwasConn(c)
	}
}

func gobwasConn(c net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer c.Close()
	name := ""
	u := ws.Upgrader{OnRequest: func(uri []byte) error {
		if i := strings.Index(string(uri), "room="); i >= 0 {
			name = string(uri[i+5:])
		}
		return nil
	}}
	if _, err := u.Upgrade(c); err != nil {
		return
	}
	r := getRoom(name)
	s := newSub(ctx, c, func(b []byte) error { _, err := c.Write(b); return err })
	c.Write(ws.MustCompileFrame(ws.NewTextFrame([]byte("OK"))))
	r.join(s)
	defer r.leave(s)
	rd := bufio.NewReaderSize(c, 1024)
	for {
		f, hl, op, err := readFrame(rd)
		if err != nil || op == ws.OpClose {
			return
		}
		if op.IsControl() {
			continue
		}
		if *upstream != "" {
			go mention(r, f[hl:], func(p []byte) []byte { return ws.MustCompileFrame(ws.NewTextFrame(p)) })
			continue
		}
		r.publish(s, f)
	}
}

// readFrame returns a client's message as the frame that every subscriber gets: a header of 2 or 4 bytes, the payload.
func readFrame(rd *bufio.Reader) (f []byte, header int, op ws.OpCode, err error) {
	h, err := ws.ReadHeader(rd)
	if err != nil || h.Length > 65535 {
		return nil, 0, 0, errors.Join(err, io.ErrShortBuffer)
	}
	n := int(h.Length)
	f = []byte{0x80 | byte(h.OpCode), byte(n)}
	if n > 125 {
		f = []byte{0x80 | byte(h.OpCode), 126, byte(n >> 8), byte(n)}
	}
	header = len(f)
	f = append(f, make([]byte, n)...)
	_, err = io.ReadFull(rd, f[header:])
	ws.Cipher(f[header:], h.Mask, 0)
	return f, header, h.OpCode, err
}

// ---- coder

func coderHandler(w http.ResponseWriter, q *http.Request) {
	c, err := websocket.Accept(w, q, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := getRoom(q.URL.Query().Get("room"))
	typ := websocket.MessageText
	if *relay {
		typ = websocket.MessageBinary
	}
	s := newSub(ctx, nil, func(b []byte) error { return c.Write(ctx, typ, b) })
	c.Write(ctx, websocket.MessageText, []byte("OK"))
	r.join(s)
	defer r.leave(s)
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		if *upstream != "" {
			go mention(r, b, func(p []byte) []byte { return p })
			continue
		}
		r.publish(s, b)
	}
}

// ---- grpc

type pre struct{ b []byte } // an already marshalled message

type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *pre:
		return mem.BufferSlice{mem.SliceBuffer(m.b)}, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("unexpected %T", v)
}

func (rawCodec) Unmarshal(d mem.BufferSlice, v any) error {
	return proto.Unmarshal(d.Materialize(), v.(proto.Message))
}

var _ encoding.CodecV2 = rawCodec{}

func join(_ any, st grpc.ServerStream) error {
	var in wrapperspb.BytesValue
	if err := st.RecvMsg(&in); err != nil {
		return err
	}
	name := strings.TrimPrefix(string(in.Value), "S ")
	r := getRoom(name)
	s := &sub{gsend: newGSub(st.Context(), st.SendMsg)}
	if err := st.SendMsg(&wrapperspb.BytesValue{Value: []byte("OK")}); err != nil {
		return err
	}
	r.join(s)
	defer r.leave(s)
	for {
		var in wrapperspb.BytesValue
		if err := st.RecvMsg(&in); err != nil {
			return nil
		}
		m, err := encodeOnce(st, &in)
		if err != nil {
			return err
		}
		r.publishG(s, m)
	}
}

// encodeOnce makes of a message what all subscribers are sent.
func encodeOnce(st grpc.ServerStream, in proto.Message) (any, error) {
	if *mode == "grpc-prepared" {
		m := &grpc.PreparedMsg{}
		return m, m.Encode(st, in)
	}
	b, err := proto.Marshal(in)
	return &pre{b}, err
}

type gsub struct {
	send func(any) error
	mu   sync.Mutex
	q    []any
	wake chan struct{}
}

func newGSub(ctx context.Context, send func(any) error) *gsub {
	g := &gsub{send: send}
	if *fanout == "queue" {
		g.wake = make(chan struct{}, 1)
		go g.writer(ctx)
	}
	return g
}

func (g *gsub) writer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		}
		g.mu.Lock()
		q := g.q
		g.q = nil
		g.mu.Unlock()
		for _, m := range q {
			if g.send(m) != nil {
				return
			}
		}
	}
}

func (r *room) publishG(from *sub, m any) {
	r.mu.Lock()
	for _, s := range r.subs {
		if *relay && s == from {
			continue
		}
		g := s.gsend
		if *fanout == "inline" {
			g.send(m)
			continue
		}
		g.mu.Lock()
		g.q = append(g.q, m)
		first := len(g.q) == 1
		g.mu.Unlock()
		if first {
			select {
			case g.wake <- struct{}{}:
			default:
			}
		}
	}
	r.mu.Unlock()
}

// ---- llm

var hc = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024, MaxIdleConns: 4096, DisableCompression: true, WriteBufferSize: 4096, ReadBufferSize: 4096}}

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

// mention asks the upstream for a completion of the message and fans every chunk out to the room.
func mention(r *room, prompt []byte, frame func([]byte) []byte) {
	body, _ := json.Marshal(map[string]any{"model": "fake", "stream": true, "messages": []map[string]string{{"role": "user", "content": string(prompt)}}})
	req, _ := http.NewRequest("POST", *upstream, strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "application/json")
	resp, err := hc.Do(req)
	if err != nil {
		log.Println(err)
		return
	}
	defer resp.Body.Close()
	rd := bufio.NewReaderSize(resp.Body, 4096)
	id := 0
	for {
		line, err := rd.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) < 7 || line[0] != 'd' {
			continue
		}
		d := line[6:]
		if d[0] == '[' { // [DONE]
			io.Copy(io.Discard, rd)
			return
		}
		var ch chunk
		if json.Unmarshal(d, &ch) != nil || len(ch.Choices) == 0 {
			continue
		}
		out, _ := json.Marshal(struct {
			T string `json:"t"`
			N int    `json:"n"`
			C string `json:"c"`
		}{"chunk", id, ch.Choices[0].Delta.Content})
		id++
		r.publish(nil, frame(out))
	}
}

func main() {
	flag.Parse()
	if !strings.HasPrefix(*addr, "127.") {
		log.Fatal("loopback only")
	}
	l, err := net.Listen("tcp4", *addr)
	if err != nil {
		log.Fatal(err)
	}
	meter.Watch()
	fmt.Fprintln(os.Stderr, "rawserver", *mode, *fanout, *addr)
	switch *mode {
	case "tcp":
		serveTCP(l)
	case "ws-gobwas":
		serveGobwas(l)
	case "ws-coder":
		srv := &http.Server{Handler: http.HandlerFunc(coderHandler), ReadHeaderTimeout: 10 * time.Second}
		srv.Serve(l)
	case "grpc-prepared", "grpc-raw":
		var o []grpc.ServerOption
		if *mode == "grpc-raw" {
			o = append(o, grpc.ForceServerCodecV2(rawCodec{}))
		}
		if *smallBuf {
			o = append(o, grpc.ReadBufferSize(1024), grpc.WriteBufferSize(4096), grpc.SharedWriteBuffer(true))
		}
		s := grpc.NewServer(o...)
		s.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Room", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{StreamName: "Join", Handler: join, ServerStreams: true, ClientStreams: true}}}, struct{}{})
		s.Serve(l)
	default:
		log.Fatal("unknown mode")
	}
}
