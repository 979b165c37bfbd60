package embedded

import (
	"encoding/binary"
	"strings"
	"time"

	"parley/room"
)

// The keys of the database. Room and person ids have no zero byte, so one ends them.
//
//	e <room> 0 <first offset>   a record of the room's log
//	r <room>                    the room has a log
//	c <room>                    its card
//	p <position>                it is listed publicly; a position ends with the room
//	m <person> 0 <position>     the person is a member
//	w <wake> <room>             it has work to do
//	z                           written so that there is something to flush
const (
	prefixRecord = 'e'
	prefixRoom   = 'r'
	prefixCard   = 'c'
	prefixPublic = 'p'
	prefixMember = 'm'
	prefixWake   = 'w'
	prefixTouch  = 'z'
)

func recordPrefix(dst []byte, id room.ID) []byte {
	return append(append(append(dst, prefixRecord), id...), 0)
}

func recordKey(dst []byte, id room.ID, first room.Offset) []byte {
	return binary.BigEndian.AppendUint64(recordPrefix(dst, id), uint64(first))
}

// recordEnd is above every record of the room.
func recordEnd(dst []byte, id room.ID) []byte {
	return append(append(append(dst, prefixRecord), id...), 1)
}

func cutRecordKey(key []byte) (id room.ID, first room.Offset, ok bool) {
	if len(key) < 1+1+8 || key[0] != prefixRecord || key[len(key)-9] != 0 {
		return "", 0, false
	}
	n := len(key) - 8
	return room.ID(key[1 : n-1]), room.Offset(binary.BigEndian.Uint64(key[n:])), true
}

func roomKey(dst []byte, id room.ID) []byte { return append(append(dst, prefixRoom), id...) }

func cardKey(dst []byte, id room.ID) []byte { return append(append(dst, prefixCard), id...) }

func publicKey(dst []byte, position string) []byte {
	return append(append(dst, prefixPublic), position...)
}

func memberPrefix(dst []byte, p room.PersonID) []byte {
	return append(append(append(dst, prefixMember), p...), 0)
}

func memberKey(dst []byte, p room.PersonID, position string) []byte {
	return append(memberPrefix(dst, p), position...)
}

// wakeKey orders the times before 1970 first, too.
func wakeKey(dst []byte, at time.Time, id room.ID) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, prefixWake), uint64(at.UnixNano())^1<<63)
	return append(dst, id...)
}

// roomOfPosition reads the room at the end of a position.
func roomOfPosition(key []byte) room.ID {
	_, id, _ := strings.Cut(string(key), "/")
	return room.ID(id)
}

// after is the smallest key above all that begin with prefix; prefix must not end in 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
