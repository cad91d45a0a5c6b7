package column_test

import (
	"testing"

	"github.com/estela-dev/estela/services/internal/column"
)

// TestHashesAreStable pins the hashes: they outlive a process.
func TestHashesAreStable(t *testing.T) {
	t.Parallel()
	if got := column.HashString("a"); got != 0xe6c632b61e964e1f { // XXH3_64bits("a") of the reference
		t.Errorf("HashString is %x", got)
	}
	if got, want := column.HashInt(0x6867666564636261), column.HashString("abcdefgh"); got != want {
		t.Errorf("HashInt is %x, want %x, of its bytes from the lowest", got, want)
	}
	if got, want := column.HashUUID([16]byte([]byte("abcdefghabcdefgh"))), column.HashString("abcdefghabcdefgh"); got != want {
		t.Errorf("HashUUID is %x, want %x", got, want)
	}
}
