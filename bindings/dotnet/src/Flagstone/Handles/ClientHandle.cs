using System;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a reference to a <c>flagstone_client</c>. <c>Dispose</c> of the client closes, and gives nothing back.</summary>
internal sealed class ClientHandle(FlagstoneClient owner, IntPtr native) : KeptHandle(owner, native)
{
    private protected override void Release(IntPtr native)
    {
        // The pump holds a reference of its own: it must notice that nobody is left to serve.
        NativeMethods.flagstone_wake(native);
        NativeMethods.flagstone_client_release(native);
    }
}
