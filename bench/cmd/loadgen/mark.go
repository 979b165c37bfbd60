package main

import "bytes"

// Every payload carries a marker: ~T, 16 hex digits of send time (Unix nanoseconds), 8 of sequence number, 4 of
// sender. It must come out of the server unchanged; what is around it may be wrapped in anything.
const markLen = 2 + 16 + 8 + 4

// markAt is where the marker begins in a payload, which is {"m":"~T...xxx"}.
const markAt = 6

const hexDigits = "0123456789abcdef"

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15]
		v >>= 4
	}
}

func getHex(b []byte) uint64 {
	var v uint64
	for _, c := range b {
		if c >= 'a' {
			c -= 'a' - 10
		} else {
			c -= '0'
		}
		v = v<<4 | uint64(c&15)
	}
	return v
}

// findMark returns the first ~c in p, or -1.
func findMark(p []byte, c byte) int {
	for i := 0; ; {
		j := bytes.IndexByte(p[i:], '~')
		if j < 0 || i+j+1 >= len(p) {
			return -1
		}
		if p[i+j+1] == c {
			return i + j
		}
		i += j + 1
	}
}

func newPayload(size, sender int) []byte {
	p := bytes.Repeat([]byte{'x'}, size)
	copy(p, `{"m":"~T`)
	copy(p[len(p)-2:], `"}`)
	putHex(p[markAt+26:markAt+30], uint64(sender))
	return p
}

// scan records every marker in p. In a conversation with a model, the first chunk carries the mention's time as ~M.
func (lp *loop) scan(c *conn, p []byte) {
	for {
		i := findMark(p, 'T')
		if i < 0 || len(p)-i < markLen {
			return
		}
		m := p[i:]
		ts := int64(getHex(m[2:18]))
		seq := uint32(getHex(m[18:26]))
		snd := int(getHex(m[26:30]))
		p = p[i+markLen:]
		for len(c.next) <= snd {
			c.next = append(c.next, 0)
		}
		if !lp.cf.llm {
			if c.next[snd] != seq {
				lp.bad++
			}
			c.next[snd] = seq + 1
		} else if seq == 0 {
			if j := findMark(p, 'M'); j >= 0 && len(p)-j >= 18 && lp.first != nil && lp.h != nil {
				lp.first.add(lp.now - int64(getHex(p[j+2:j+18])))
			}
		}
		lp.got++
		if lp.h != nil {
			lp.h.add(lp.now - ts)
		}
	}
}
