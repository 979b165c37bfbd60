package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// bsock is a plain blocking TCP socket, used while a connection is being set up; afterwards the fd is
// switched to non-blocking and handed to the epoll loop (no goroutine and no Go poller entry per connection).
type bsock struct {
	fd  int
	buf []byte // received, not yet consumed
}

func dial(addr string) (*bsock, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(host).To4()
	if ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("refusing %s: loopback IPv4 addresses only", addr)
	}
	pn, _ := strconv.Atoi(port)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60})
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 0})
	sa := &unix.SockaddrInet4{Port: pn}
	copy(sa.Addr[:], ip)
	for i := 0; ; i++ {
		err = unix.Connect(fd, sa)
		if err == unix.EINTR && i < 10 {
			continue
		}
		break
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &bsock{fd: fd}, nil
}

func (s *bsock) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(s.fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (s *bsock) close() { _ = unix.Close(s.fd) }

func (s *bsock) fill() error {
	var t [16384]byte
	for {
		n, err := unix.Read(s.fd, t[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("closed by server")
		}
		s.buf = append(s.buf, t[:n]...)
		return nil
	}
}

// until reads until pat has been seen and consumes through its end.
func (s *bsock) until(pat string) error {
	for {
		if i := bytes.Index(s.buf, []byte(pat)); i >= 0 {
			s.buf = s.buf[i+len(pat):]
			return nil
		}
		if err := s.fill(); err != nil {
			return fmt.Errorf("waiting for %q: %w (have %.200q)", pat, err, s.buf)
		}
	}
}

// grab reads until pat has been seen and returns everything through its end.
func (s *bsock) grab(pat string) ([]byte, error) {
	for {
		if i := bytes.Index(s.buf, []byte(pat)); i >= 0 {
			r := append([]byte(nil), s.buf[:i+len(pat)]...)
			s.buf = s.buf[i+len(pat):]
			return r, nil
		}
		if err := s.fill(); err != nil {
			return nil, fmt.Errorf("waiting for %q: %w (have %.200q)", pat, err, s.buf)
		}
	}
}

// wsFrame reads one whole WebSocket frame's payload (server to client, unmasked).
func (s *bsock) wsFrame() ([]byte, error) {
	for {
		if op, pl, n := wsParse(s.buf); n > 0 {
			p := append([]byte(nil), pl...)
			s.buf = s.buf[n:]
			if op == 8 {
				return nil, fmt.Errorf("close frame %q", p)
			}
			if op == 9 {
				continue
			}
			return p, nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

func (s *bsock) wsWait(pat string) ([]byte, error) {
	for {
		p, err := s.wsFrame()
		if err != nil {
			return nil, fmt.Errorf("waiting for %q: %w", pat, err)
		}
		if bytes.Contains(p, []byte(pat)) {
			return p, nil
		}
	}
}

func (s *bsock) wsOpen(host, path, proto string) error {
	r := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	if proto != "" {
		r += "Sec-WebSocket-Protocol: " + proto + "\r\n"
	}
	if err := s.write([]byte(r + "\r\n")); err != nil {
		return err
	}
	h, err := s.grab("\r\n\r\n")
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(h, []byte("HTTP/1.1 101")) {
		return fmt.Errorf("upgrade refused: %.200q", h)
	}
	return nil
}

// wsParse returns opcode, payload and total length of the first whole frame in b, or n=0.
func wsParse(b []byte) (op byte, pl []byte, n int) {
	if len(b) < 2 {
		return 0, nil, 0
	}
	l, h := int(b[1]&127), 2
	if l == 126 {
		if len(b) < 4 {
			return 0, nil, 0
		}
		l, h = int(b[2])<<8|int(b[3]), 4
	} else if l == 127 {
		if len(b) < 10 {
			return 0, nil, 0
		}
		l, h = int(b[6])<<24|int(b[7])<<16|int(b[8])<<8|int(b[9]), 10
	}
	if len(b) < h+l {
		return 0, nil, 0
	}
	return b[0] & 15, b[h : h+l], h + l
}

// wsClientFrame appends a masked client frame. The mask key is zero: legal on the wire, and the server
// still runs its unmask loop; it saves the generator the XOR.
func wsClientFrame(dst []byte, op byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	dst = append(dst, 0x80|op)
	switch {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 65536:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	dst = append(dst, 0, 0, 0, 0)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}
