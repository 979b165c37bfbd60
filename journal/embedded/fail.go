package embedded

import (
	"errors"
	"fmt"
	"sync"
)

// ErrFailed says that a write failed and that the store takes no more of them.
var ErrFailed = errors.New("the store stopped writing after an error; mend the disk and start again: nothing that was acknowledged is lost")

// A failure is the first error after which nothing may be written.
type failure struct {
	once  sync.Once
	first error
	known chan struct{} // closed when first is set
}

func newFailure() *failure { return &failure{known: make(chan struct{})} }

// set notes err and reports whether it is the first.
func (f *failure) set(err error) (first bool) {
	f.once.Do(func() {
		f.first, first = fmt.Errorf("%w: %w", ErrFailed, err), true
		close(f.known)
	})
	return first
}

// err is what to tell whoever wants to write, or nil.
func (f *failure) err() error {
	select {
	case <-f.known:
		return f.first
	default:
		return nil
	}
}
