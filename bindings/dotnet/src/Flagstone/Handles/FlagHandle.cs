using System;
using System.Runtime.InteropServices;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a <c>flagstone_flag</c>. Released by the finalizer alone, as <see cref="ClientHandle"/> is.</summary>
internal sealed class FlagHandle : SafeHandle
{
    internal FlagHandle(IntPtr native)
        : base(IntPtr.Zero, ownsHandle: true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.flagstone_flag_release(handle);
        return true;
    }
}
