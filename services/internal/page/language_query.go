package page

// querySpanish are the texts of query.go and its template.
var querySpanish = map[string]string{
	"NULL here may be a NaN, an infinity or a time outside of the years 0 to 9999, which JSON lacks. CSV has NaN and infinite numbers, Parquet all but infinite times.": "NULL puede ser aquí un NaN, un infinito o un instante fuera de los años 0 a 9999, que JSON no tiene. CSV tiene NaN y los números infinitos; Parquet, todo menos los instantes infinitos.",
	"One SELECT on the datasets' tables and views": "Un SELECT sobre las tablas y vistas de los datasets",
	"It may begin with the header of an endpoint, such as -- Summary and -- param: name string. It runs for 10 seconds at most, and shows 1,000 rows; it changes nothing.": "Puede empezar con la cabecera de un endpoint, como -- Resumen y -- param: nombre string. Se ejecuta 10 segundos como máximo y muestra 1.000 filas; no cambia nada.",
	"Line":                           "Línea",
	"column":                         "columna",
	"The SQL with its faults marked": "El SQL con sus errores marcados",
	"Parameters":                     "Parámetros",
	"required":                       "obligatorio",
	"Chart":                          "Gráfico",
	"Kind":                           "Tipo",
	"none":                           "ninguno",
	"Series":                         "Serie",
	"Run":                            "Ejecutar",
	"Tables and views":               "Tablas y vistas",
	"A chart of the answer, whose rows are in the table below": "Un gráfico de la respuesta, cuyas filas están en la tabla de abajo",
	"Answer":  "Respuesta",
	"rows in": "filas en",
	"There are more rows, which are not shown: a download has up to 100,000.": "Hay más filas, que no se muestran: una descarga tiene hasta 100.000.",
	"Download":         "Descargar",
	"Save as endpoint": "Guardar como endpoint",
	"This page changes nothing. Write this file in the folder of --data:": "Esta página no cambia nada. Escriba este archivo en la carpeta de --data:",
	"Check it, with your folder of --data:":                               "Compruébelo, con su carpeta de --data:",
	"Say here in a line what it answers.":                                 "Diga aquí en una línea qué responde.",
	"The SQL is too long for a URL, which has room for 14 KiB. Write it to a file, and see what it answers with: estela endpoint run.": "El SQL es demasiado largo para una URL, en la que caben 14 KiB. Escríbalo en un archivo y vea qué responde con: estela endpoint run.",
}
