package room

import "strings"

// Unkeyed begins the cause of a command that its sender will not send again. It is not remembered.
const Unkeyed = "~"

// causes remembers which keyed commands have landed, the newest of them.
type causes struct {
	most int
	at   map[cause]Offset
	fifo []cause
}

type cause struct {
	by  Identity
	key string
}

func (c *causes) find(by Identity, key string) (Offset, bool) {
	at, ok := c.at[cause{by, key}]
	return at, ok
}

func (c *causes) add(by Identity, key string, at Offset) {
	k := cause{by, key}
	if _, known := c.at[k]; known || key == "" || strings.HasPrefix(key, Unkeyed) || c.most <= 0 {
		return
	}
	if c.at == nil {
		c.at = make(map[cause]Offset)
	}
	if len(c.fifo) >= c.most {
		delete(c.at, c.fifo[0])
		c.fifo = c.fifo[1:]
	}
	c.at[k] = at
	c.fifo = append(c.fifo, k)
}
