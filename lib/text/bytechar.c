#include "text/bytechar.h"

uint32_t bytechar_of(unsigned char byte)
{
	if (byte <= 0x20)
		return 0x100u + byte;
	if (byte >= 0x7F && byte <= 0xA0)
		return 0x121u + (byte - 0x7Fu);
	return byte == 0xAD ? 0x143u : byte;
}

int bytechar_byte(uint32_t cp)
{
	if (cp < 0x100)
		return cp <= 0x20 || (cp >= 0x7F && cp <= 0xA0) || cp == 0xAD ? -1 : (int)cp;
	if (cp <= 0x120)
		return (int)cp - 0x100;
	if (cp <= 0x142)
		return (int)cp - 0x121 + 0x7F;
	return cp == 0x143 ? 0xAD : -1;
}
