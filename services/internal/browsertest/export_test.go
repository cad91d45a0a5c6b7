package browsertest

import "os"

// Processes are chromium's.
func (*Browser) Processes() []int { return descendants(os.Getpid(), "chrom") }
