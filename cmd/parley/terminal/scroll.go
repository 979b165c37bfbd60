package terminal

// A scroll is where in the transcript the reader looks. The zero scroll follows the newest line. Otherwise the top of
// the screen is held at a line of an item, whatever comes before or after it.
type scroll struct {
	top  *item
	line int
	seen int // how many messages had arrived when the reader scrolled away
}

func (s scroll) follows() bool { return s.top == nil }

// A page is what scrolling works on: items that paint themselves.
type page struct {
	items  []*item
	paint  func(i int) []string
	height int
}

// window returns the lines to show, at most height, and whether the scroll is still held: when the end fits, it is not.
func (p page) window(s *scroll) []string {
	if i := p.index(s.top); i >= 0 {
		if lines := p.from(i, s.line); len(lines) >= p.height {
			return lines[:p.height]
		}
	}
	*s = scroll{}
	i, line := p.bottom()
	if i < 0 {
		return nil
	}
	return p.from(i, line)
}

func (p page) index(top *item) int {
	for i, it := range p.items {
		if it == top {
			return i
		}
	}
	return -1
}

// from returns height lines, beginning with a line of item i.
func (p page) from(i, line int) []string {
	var lines []string
	for ; i < len(p.items) && len(lines) < p.height; i++ {
		painted := p.paint(i)
		lines = append(lines, painted[min(line, len(painted)):]...)
		line = 0
	}
	return lines[:min(len(lines), p.height)]
}

// bottom returns the item and the line at the top of the screen when the newest line is at its bottom.
func (p page) bottom() (i, line int) {
	left := p.height
	for i = len(p.items) - 1; i >= 0; i-- {
		n := len(p.paint(i))
		if n >= left {
			return i, n - left
		}
		left -= n
	}
	return min(0, len(p.items)-1), 0
}

// up scrolls n lines towards the beginning and reports whether it is reached.
func (p page) up(s *scroll, n, arrived int) (atBeginning bool) {
	i, line := p.index(s.top), s.line
	if i < 0 {
		i, line = p.bottom()
		s.seen = arrived
	}
	if i < 0 {
		return true
	}
	for line -= n; line < 0; line += len(p.paint(i)) {
		if i--; i < 0 {
			i, line, atBeginning = 0, 0, true
			break
		}
	}
	s.top, s.line = p.items[i], line
	p.window(s)
	return atBeginning
}

// down scrolls n lines towards the end.
func (p page) down(s *scroll, n int) {
	i, line := p.index(s.top), s.line+n
	for i >= 0 && i < len(p.items) && line >= len(p.paint(i)) {
		line -= len(p.paint(i))
		i++
	}
	if i < 0 || i >= len(p.items) {
		*s = scroll{}
		return
	}
	s.top, s.line = p.items[i], line
	p.window(s)
}
