
ß
RM_kyZEumyxbTQwroom¬ 2(°„‰Ø2+zrBHsJuJjomVVeqZRqseOUJsstr8wBHjrqkK7YlUcK8:

audio/PCMU:

audio/PCMA:

audio/opus:
	audio/red:
	video/VP8:

video/H264:
	video/VP9:
	video/AV1:

video/H265:
	video/rtxpxú›Ê† 4