package main

import (
	"bytes"
	"strconv"
)

// sseDirect reads the stream of fakellm itself: the floor, one hop and no room.
type sseDirect struct {
	unprepared
	cf *config
}

func (t *sseDirect) setup(*conn, *bsock) error { return nil }

func (t *sseDirect) feed(lp *loop, c *conn, b []byte) int {
	i := bytes.LastIndexByte(b, '\n')
	if i < 0 {
		return 0
	}
	lp.scan(c, b[:i+1])
	return i + 1
}

func (t *sseDirect) publish(_ *conn, dst, p []byte) []byte {
	body := append([]byte(`{"model":"fake","stream":true,"messages":[{"role":"user","content":`), strconv.Quote(string(p))...)
	body = append(body, `}]}`...)
	dst = append(dst, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}
