package distspec

import "net/http"

// HeaderChunkMinLength is, on the answer to the beginning of an upload, how many bytes a chunk but the last should have.
const HeaderChunkMinLength = "OCI-Chunk-Min-Length"

// ParseChunkRange reads the Content-Range of a chunk ("Pushing a blob in chunks"): <first>-<last>, without a unit and
// without a size. The error is *Error 416 RANGE_INVALID, after which clients ask how far the upload is.
func ParseChunkRange(header string) (Range, error) {
	r, ok := parseSpan(header)
	if !ok {
		return Range{}, NewError(http.StatusRequestedRangeNotSatisfiable, CodeRangeInvalid, "not a chunk's Content-Range: write its first and last byte like 0-1023")
	}
	return r, nil
}
