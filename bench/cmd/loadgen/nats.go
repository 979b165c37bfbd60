package main

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
)

// natsTarget: NATS core, or a subject that a JetStream file stream captures and acknowledges to the publisher.
type natsTarget struct {
	unprepared
	cf   *config
	js   bool
	once sync.Once
	err  error
}

func (t *natsTarget) subject(c *conn) string {
	if t.js {
		return "js." + roomName(c.room)
	}
	return "b." + roomName(c.room)
}

func (t *natsTarget) setup(c *conn, s *bsock) error {
	if err := s.until("\r\n"); err != nil { // INFO
		return err
	}
	echo := strconv.FormatBool(!t.cf.relay)
	if err := s.write([]byte(`CONNECT {"verbose":false,"pedantic":false,"lang":"lg","version":"1","protocol":1,"echo":` + echo + "}\r\nPING\r\n")); err != nil {
		return err
	}
	if err := s.until("PONG\r\n"); err != nil {
		return err
	}
	if t.js {
		if t.once.Do(func() { t.err = createStream(s) }); t.err != nil {
			return t.err
		}
	}
	subs := "SUB " + t.subject(c) + " 1\r\n"
	if t.js && c.idx == 0 {
		subs += "SUB _INBOX.a" + strconv.Itoa(c.room) + " 2\r\n"
	}
	if err := s.write([]byte(subs + "PING\r\n")); err != nil {
		return err
	}
	return s.until("PONG\r\n")
}

func createStream(s *bsock) error {
	body := `{"name":"S","subjects":["js.>"],"storage":"file","retention":"limits","discard":"old","max_msgs":-1,"max_bytes":-1,"max_age":0,"num_replicas":1,"max_msgs_per_subject":-1,"max_msg_size":-1,"max_consumers":-1}`
	if err := s.write([]byte("SUB _INBOX.s 9\r\nPUB $JS.API.STREAM.CREATE.S _INBOX.s " + strconv.Itoa(len(body)) + "\r\n" + body + "\r\n")); err != nil {
		return err
	}
	got, err := s.grab("}\r\n")
	if err == nil && bytes.Contains(got, []byte(`"error"`)) {
		err = fmt.Errorf("stream: %s", got)
	}
	return err
}

func (t *natsTarget) feed(lp *loop, c *conn, b []byte) int {
	off := 0
	for {
		i := bytes.IndexByte(b[off:], '\n')
		if i < 0 {
			return off
		}
		line := b[off : off+i]
		switch {
		case len(line) > 4 && line[0] == 'M': // MSG subject sid [reply] length\r
			l := bytes.TrimRight(line, "\r")
			n := 0
			for _, digit := range l[bytes.LastIndexByte(l, ' ')+1:] {
				n = n*10 + int(digit-'0')
			}
			if len(b)-off < i+1+n+2 {
				return off
			}
			lp.scan(c, b[off+i+1:off+i+1+n])
			off += n + 2
		case len(line) >= 4 && line[0] == 'P' && line[1] == 'I':
			c.out = append(c.out, "PONG\r\n"...)
			lp.flush(c)
		case len(line) > 0 && line[0] == '-':
			lp.closed(c, string(line))
		}
		off += i + 1
	}
}

func (t *natsTarget) publish(c *conn, dst, p []byte) []byte {
	dst = append(dst, "PUB "...)
	dst = append(dst, t.subject(c)...)
	if t.js {
		dst = append(dst, " _INBOX.a"...)
		dst = strconv.AppendInt(dst, int64(c.room), 10)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(len(p)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, p...)
	return append(dst, "\r\n"...)
}
