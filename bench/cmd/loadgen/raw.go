package main

import "fmt"

// tcpRaw: rawserver -mode tcp, a 4-byte length before each payload, both ways.
type tcpRaw struct {
	unprepared
	cf *config
}

func (t *tcpRaw) setup(c *conn, s *bsock) error {
	if err := s.write([]byte("S " + roomName(c.room) + "\n")); err != nil {
		return err
	}
	return s.until("OK\n")
}

func (t *tcpRaw) feed(lp *loop, c *conn, b []byte) int {
	off := 0
	for len(b)-off >= 4 {
		n := int(b[off])<<24 | int(b[off+1])<<16 | int(b[off+2])<<8 | int(b[off+3])
		if len(b)-off < 4+n {
			break
		}
		lp.scan(c, b[off+4:off+4+n])
		off += 4 + n
	}
	return off
}

func (t *tcpRaw) publish(_ *conn, dst, p []byte) []byte {
	n := len(p)
	dst = append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(dst, p...)
}

// wsRaw: rawserver -mode ws-*, a message is a frame's payload.
type wsRaw struct {
	unprepared
	cf *config
}

func (t *wsRaw) setup(c *conn, s *bsock) error {
	if err := s.wsOpen(t.cf.addr, "/ws?room="+roomName(c.room), ""); err != nil {
		return err
	}
	_, err := s.wsWait("OK")
	return err
}

func (t *wsRaw) feed(lp *loop, c *conn, b []byte) int {
	off := 0
	for {
		op, pl, n := wsParse(b[off:])
		if n == 0 {
			return off
		}
		off += n
		switch op {
		case 9:
			c.out = wsClientFrame(c.out, 10, pl)
			lp.flush(c)
		case 8:
			lp.closed(c, fmt.Sprintf("ws close %q", pl))
		default:
			lp.scan(c, pl)
		}
	}
}

func (t *wsRaw) publish(_ *conn, dst, p []byte) []byte {
	op := byte(1)
	if t.cf.binary {
		op = 2
	}
	return wsClientFrame(dst, op, p)
}
