package page

// rejectSpanish are the texts of reject.go and its template.
var rejectSpanish = map[string]string{}
