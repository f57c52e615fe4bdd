// Writes many texts as UTF-8 into one buffer that is large enough for all of them, and tells where each is.
using System;

namespace Flagstone.Interop;

internal unsafe ref struct Utf8Pen(byte* buffer, int capacity)
{
    private byte* _at = buffer;
    private int _left = capacity;

    /// <exception cref="ArgumentException">It is no UTF-16.</exception>
    internal NativeText Write(string text, string what)
    {
        int length = Utf8.TryEncode(text, _at, _left);
        if (length < 0)
        {
            throw Utf8.NotText(what, null);
        }
        NativeText written = new(_at, (nuint)length);
        _at += length;
        _left -= length;
        return written;
    }
}
