package runtime

import "maps"

// defaultSandbox is the image of every release from 1.6 on, without its tag, which is another in each.
const defaultSandbox = "registry.k8s.io/pause"

// What containerd 1.x calls sandbox_image is an entry of pinned_images in 2.x.
const (
	keySandboxImage = "sandbox_image"
	keyPinnedImages = "pinned_images"
	keySandbox      = "sandbox"
)

// sandboxImage is the image that every Pod begins with.
func (r *reader) sandboxImage() string {
	image, _ := r.images[keySandboxImage].(string)
	if r.release.AtLeast(2, 0) {
		image, _ = tableIn(r.images, keyPinnedImages)[keySandbox].(string)
	}
	if image == "" {
		return defaultSandbox
	}
	return image
}

// takeSandbox is what containerd 2.x makes of the image in a file that speaks of the plug-in of 1.x.
func takeSandbox(images, old table) {
	image, there := old[keySandboxImage]
	if !there {
		return
	}
	pinned := maps.Clone(tableIn(images, keyPinnedImages))
	if pinned == nil {
		pinned = table{}
	}
	pinned[keySandbox] = image
	images[keyPinnedImages] = pinned
}
