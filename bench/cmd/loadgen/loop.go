package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A conn is one participant.
type conn struct {
	fd        int
	i         int
	room, idx int
	left      []byte // partial protocol unit
	out       []byte // bytes not yet accepted by the kernel
	tmp       []byte
	pollOut   bool
	dead      bool
	stalled   bool // reads nothing, ever
	pubSeq    uint32
	next      []uint32 // next expected sequence, per sender of the room
	pay       []byte   // payload of this publisher
	msg       []byte   // a gRPC message that came in several frames
}

// A loop is the one thread that publishes and receives.
type loop struct {
	t       target
	cf      *config
	ep, tfd int
	conns   []*conn
	pubs    []*conn
	buf     []byte
	now     int64
	h       *hist // nil: not recording
	first   *hist // mention to first chunk
	late    *hist // how late messages were sent
	got     uint64
	bytes   uint64
	reads   uint64
	sent    uint64
	fan     uint64 // deliveries per message
	bad     uint64
	deadN   int
	why     string
	evs     []unix.EpollEvent
	due     func()
}

func newLoop(t target, cf *config) *loop {
	lp := &loop{t: t, cf: cf, buf: make([]byte, 256<<10), evs: make([]unix.EpollEvent, 256)}
	lp.ep, _ = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	lp.tfd, _ = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	_ = unix.EpollCtl(lp.ep, unix.EPOLL_CTL_ADD, lp.tfd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
	return lp
}

// add takes over a connection that has been set up.
func (lp *loop) add(c *conn) {
	lp.conns[c.i] = c
	if c.stalled {
		return
	}
	_ = unix.EpollCtl(lp.ep, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.i)})
	if len(c.left) > 0 {
		lp.now = time.Now().UnixNano()
		used := lp.t.feed(lp, c, c.left)
		c.left = append([]byte(nil), c.left[used:]...)
	}
}

func (lp *loop) closed(c *conn, why string) {
	if !c.dead {
		c.dead = true
		lp.deadN++
		if lp.why == "" {
			lp.why = why
		}
		_ = unix.EpollCtl(lp.ep, unix.EPOLL_CTL_DEL, c.fd, nil)
	}
}

func (lp *loop) poll(c *conn, events uint32) {
	_ = unix.EpollCtl(lp.ep, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.i)})
}

func (lp *loop) flush(c *conn) {
	for len(c.out) > 0 && !c.dead {
		n, err := unix.Write(c.fd, c.out)
		switch err {
		case nil:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			if !c.pollOut {
				c.pollOut = true
				lp.poll(c, unix.EPOLLIN|unix.EPOLLOUT)
			}
			return
		default:
			lp.closed(c, err.Error())
			return
		}
		if n == len(c.out) {
			c.out = c.out[:0]
		} else {
			c.out = append(c.out[:0], c.out[n:]...)
		}
	}
	if c.pollOut {
		c.pollOut = false
		lp.poll(c, unix.EPOLLIN)
	}
}

func (lp *loop) readable(c *conn) {
	for {
		k := copy(lp.buf, c.left)
		n, err := unix.Read(c.fd, lp.buf[k:])
		lp.reads++
		if err == unix.EAGAIN {
			return
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			lp.closed(c, fmt.Sprintf("read %d %v", n, err))
			return
		}
		lp.bytes += uint64(n)
		lp.now = time.Now().UnixNano()
		b := lp.buf[:k+n]
		used := lp.t.feed(lp, c, b)
		c.left = append(c.left[:0], b[used:]...)
		if k+n < len(lp.buf) {
			return
		}
		if used == 0 {
			lp.buf = make([]byte, 2*len(lp.buf))
		}
	}
}

// turn waits for events (ms at most, -1 for ever) and serves them; due is called now and then in between.
func (lp *loop) turn(ms int) {
	n, err := unix.EpollWait(lp.ep, lp.evs, ms)
	if err != nil {
		return
	}
	for i := 0; i < n; i++ {
		e := lp.evs[i]
		if e.Fd < 0 { // the timer
			var t [8]byte
			_, _ = unix.Read(lp.tfd, t[:])
		} else {
			c := lp.conns[e.Fd]
			if e.Events&unix.EPOLLOUT != 0 {
				lp.flush(c)
			}
			if e.Events&^uint32(unix.EPOLLOUT) != 0 && !c.dead {
				lp.readable(c)
			}
		}
		if i&15 == 15 && lp.due != nil {
			lp.due()
		}
	}
	if lp.due != nil {
		lp.due()
	}
}

func (lp *loop) send(c *conn, now int64) {
	putHex(c.pay[markAt+2:markAt+18], uint64(now))
	putHex(c.pay[markAt+18:markAt+26], uint64(c.pubSeq))
	c.pubSeq++
	lp.sent++
	c.out = lp.t.publish(c, c.out, c.pay)
	lp.flush(c)
}

func (lp *loop) outstanding() int64 { return int64(lp.sent*lp.fan) - int64(lp.got) }

// rate runs an open loop: message k is due at start + k/rate whatever the server does.
func (lp *loop) rate(rate float64, dur time.Duration) {
	start := time.Now().UnixNano()
	total := int64(rate * dur.Seconds())
	var k int64
	at := func(k int64) int64 { return start + int64(float64(k)*1e9/rate) }
	lp.due = func() {
		for k < total {
			now := time.Now().UnixNano()
			if at(k) > now {
				return
			}
			if lp.late != nil {
				lp.late.add(now - at(k))
			}
			lp.send(lp.pubs[int(k)%len(lp.pubs)], now)
			k++
		}
	}
	for k < total {
		lp.due()
		if k >= total {
			break
		}
		w := max(at(k)-time.Now().UnixNano(), 1000)
		_ = unix.TimerfdSettime(lp.tfd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(w)}, nil)
		lp.turn(100)
	}
	lp.due = nil
}

// peak runs a closed loop: at most win deliveries are outstanding.
func (lp *loop) peak(win int64, dur time.Duration) {
	end := time.Now().Add(dur)
	k := uint64(0)
	lp.due = func() {
		for lp.outstanding()+int64(lp.fan) <= win {
			lp.send(lp.pubs[k%uint64(len(lp.pubs))], time.Now().UnixNano())
			k++
		}
	}
	for time.Now().Before(end) && lp.deadN == 0 {
		lp.due()
		lp.turn(20)
	}
	lp.due = nil
}

// tail waits until everything sent has come.
func (lp *loop) tail(most time.Duration) {
	for start := time.Now(); lp.outstanding() > 0 && time.Since(start) < most; {
		lp.turn(20)
	}
}

// drain waits for what is outstanding, says how much of it was lost, and forgets it: the next phase starts even.
func (lp *loop) drain(most time.Duration) (lost int64) {
	lp.tail(most)
	lost = lp.outstanding()
	lp.sent, lp.got = 0, 0
	return lost
}

func (lp *loop) idle(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		lp.turn(20)
	}
}
